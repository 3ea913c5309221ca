"""Pictures on their way up: at most one waits per camera, so that an outage cannot fill the card."""

import hashlib
from pathlib import Path

from siaga_core.service.files import write_atomic
from siaga_core.wire.ids import CameraId
from siaga_edge.transfers import Ticket, discard, publish, waiting


def post(folder: Path, camera: CameraId, unique: str, jpeg: bytes, taken_wall_ns: int) -> Ticket:
    """Publish a picture and then withdraw the camera's older ones; the names differ, because the uplink may
    be reading an older one. After a power cut at any line one whole picture waits, at most two.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ticket = Ticket(
        kind="picture",
        name=f"picture-{camera}-{unique}.jpg",
        camera=camera,
        size_bytes=len(jpeg),
        sha256=hashlib.sha256(jpeg).hexdigest(),
        taken_wall_ns=taken_wall_ns,
    )
    write_atomic(folder / ticket.name, jpeg)
    publish(folder, ticket)
    for older in waiting(folder):
        if older.kind == "picture" and older.camera == camera and older.name != ticket.name:
            discard(folder, older)
    _remove_orphans(folder, camera, ticket.name)
    return ticket


def _remove_orphans(folder: Path, camera: CameraId, keep: str) -> None:
    """Pictures of the camera whose ticket was never written or is gone already."""
    for path in folder.glob(f"picture-{camera}-*.jpg"):
        # cam-a's pattern also finds cam-a-b's pictures: the rest of the name must be one id.
        is_own = "-" not in path.stem.removeprefix(f"picture-{camera}-")
        if is_own and path.name != keep and not path.with_name(f"{path.name}.json").exists():
            path.unlink(missing_ok=True)
