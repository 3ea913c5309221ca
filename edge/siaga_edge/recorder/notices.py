"""What a camera's thread tells the recorder's keeper."""

from dataclasses import dataclass

from siaga_edge.recorder.engines import Engine
from siaga_edge.recorder.trouble import Kind


@dataclass(frozen=True, slots=True)
class Started:
    """A camera's stream is being recorded again; the gap before it, if there was one."""

    camera: str
    gap_start_wall_ns: int
    gap_end_wall_ns: int
    kind: Kind | None
    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """A camera gives no stream any more."""

    camera: str
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Missed:
    """Datagrams of a camera that never came."""

    camera: str
    packets: int


@dataclass(frozen=True, slots=True)
class Working:
    """Which engine records a camera now; `reason`: why it is not our own client any more."""

    camera: str
    engine: Engine
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What our own client has not recorded of a stream since it said so last."""

    camera: str
    pictures: int  # not whole, or not to be decoded without those
    strangers: int  # packets that are not the stream's


Notice = Started | Stopped | Missed | Working | Spoilt
