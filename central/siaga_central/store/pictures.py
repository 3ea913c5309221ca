"""The last picture of each camera."""

from sqlalchemy import Connection, or_, update

from siaga_central.store.schema import camera


def note(connection: Connection, camera_id: str, taken_us: int, sha256: str, now_us: int) -> bool:
    """Note a newer picture; False when a later one is here already. Pictures are no events.

    A picture from the future (a node's wrong clock) counts as taken now.
    """
    taken_us = min(taken_us, now_us)
    changed = connection.execute(
        update(camera)
        .where(camera.c.id == camera_id, or_(camera.c.picture_us.is_(None), camera.c.picture_us < taken_us))
        .values(picture_us=taken_us, picture_sha256=sha256)
    )
    return bool(changed.rowcount)
