"""When one file ends and the next begins, and what it is called. Pure."""

import re
from dataclasses import dataclass

# Numbers that a database can count with; longer ones were not given by us.
_OURS = re.compile(r"[^/]+/[0-9]{1,9}-[0-9]{1,9}/[0-9]{6,9}")


@dataclass(frozen=True, slots=True)
class Open:
    """The segment being written. Times are of the monotonic clock."""

    name: str
    began_mono_s: float


def is_full(segment: Open, now_mono_s: float, segment_s: float, *, starts_with_key: bool) -> bool:
    """Whether a fragment belongs into a new segment: time is up and it can begin one."""
    return starts_with_key and now_mono_s - segment.began_mono_s >= segment_s - 0.5


def name(camera: str, boot_seq: int, run: int, seq: int) -> str:
    """The segment's name, without wall time: that may be wrong now and is known better later."""
    return f"{camera}/{boot_seq}-{run}/{seq:06d}"


def is_ours(name: str) -> bool:
    """Whether a file of this name, without its ending, can be a segment."""
    return _OURS.fullmatch(name) is not None


def origin(name: str) -> tuple[str, int, int]:
    """The camera, the boot and the run that `name` was given for; zeros for a name that is not ours."""
    camera, _, rest = name.partition("/")
    boot, _, run = rest.partition("/")[0].partition("-")
    return (camera, int(boot), int(run)) if boot.isdecimal() and run.isdecimal() else (camera, 0, 0)
