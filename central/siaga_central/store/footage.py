"""What footage nodes have, as they told it."""

from sqlalchemy import Connection, insert, select, update

from siaga_central.store.schema import camera, footage
from siaga_core.wire.recording import Segment


def note(connection: Connection, node: str, segment: Segment) -> bool:
    """Keep what a node said of a segment or gap; False when the camera is not this node's."""
    owner = connection.execute(
        select(camera.c.node).where(camera.c.id == segment.camera)
    ).scalar_one_or_none()
    if owner != node:
        return False
    same = (footage.c.camera == segment.camera) & (footage.c.segment == segment.segment)
    if segment.event == "deleted":
        connection.execute(update(footage).where(same).values(state="deleted"))
        return True
    if connection.execute(select(footage.c.state).where(same)).one_or_none() is None:
        connection.execute(
            insert(footage).values(
                camera=segment.camera,
                segment=segment.segment,
                start_us=segment.start_wall_ns // 1000,
                duration_ms=segment.duration_ms,
                size_bytes=segment.size_bytes,
                sha256=segment.sha256,
                state=segment.event,
                reason=segment.reason,
            )
        )
    return True
