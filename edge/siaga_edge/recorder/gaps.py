"""Counts each camera's gaps by reason since the recorder started, for a technician."""

from dataclasses import dataclass, field
from typing import Literal

from siaga_edge.recorder.notices import Spoilt, Started, Working
from siaga_edge.recorder.status import CameraStatus, RecorderStatus

WRITE_EVERY_S = 5.0


@dataclass(slots=True)
class _Tally:
    state: Literal["starting", "recording", "away"]
    since_wall_ns: int
    reason: str = ""
    gaps: dict[str, int] = field(default_factory=dict)
    gap_s: dict[str, float] = field(default_factory=dict)
    packets_missed: int = 0
    engine: str = ""
    engine_reason: str = ""
    handed_over: int = 0
    pictures_left_out: int = 0
    packets_strange: int = 0


class Gaps:
    """Used in the recorder's one thread."""

    def __init__(self, cameras: list[str], now_wall_ns: int) -> None:
        self._tallies = {camera: _Tally("starting", now_wall_ns) for camera in cameras}
        self._changed = True
        self._said_mono_s = float("-inf")

    def stopped(self, camera: str, reason: str, now_wall_ns: int) -> None:
        """The stream ended."""
        tally = self._tallies[camera]
        tally.state, tally.since_wall_ns, tally.reason = "away", now_wall_ns, reason
        self._changed = True

    def started(self, notice: Started) -> None:
        """The stream is there; the gap before it, if there was one, is counted."""
        tally = self._tallies[notice.camera]
        tally.state, tally.since_wall_ns, tally.reason = "recording", notice.gap_end_wall_ns, ""
        if notice.kind is not None:
            lasted_s = max(0, notice.gap_end_wall_ns - notice.gap_start_wall_ns) / 1e9
            tally.gaps[notice.kind] = tally.gaps.get(notice.kind, 0) + 1
            tally.gap_s[notice.kind] = round(tally.gap_s.get(notice.kind, 0.0) + lasted_s, 1)
        self._changed = True

    def missed(self, camera: str, packets: int) -> None:
        """Datagrams that never came."""
        self._tallies[camera].packets_missed += packets

    def working(self, notice: Working) -> None:
        """Which engine records the camera."""
        tally = self._tallies[notice.camera]
        tally.engine, tally.engine_reason = notice.engine, notice.reason
        tally.handed_over += bool(notice.reason)
        self._changed = True

    def spoilt(self, notice: Spoilt) -> None:
        """Pictures left out, and packets that are not the stream's."""
        tally = self._tallies[notice.camera]
        tally.pictures_left_out += notice.pictures
        tally.packets_strange += notice.strangers

    def is_news(self, now_mono_s: float) -> bool:
        """Whether the status is to be written now: after a change, and now and then."""
        if not self._changed and now_mono_s - self._said_mono_s < WRITE_EVERY_S:
            return False
        self._changed, self._said_mono_s = False, now_mono_s
        return True

    def status(self, now_wall_ns: int) -> RecorderStatus:
        """All cameras."""
        cameras = [
            CameraStatus(
                camera=camera,
                state=one.state,
                since_wall_ns=one.since_wall_ns,
                reason=one.reason,
                gaps=dict(one.gaps),
                gap_s=dict(one.gap_s),
                packets_missed=one.packets_missed,
                engine=one.engine,
                engine_reason=one.engine_reason,
                handed_over=one.handed_over,
                pictures_left_out=one.pictures_left_out,
                packets_strange=one.packets_strange,
            )
            for camera, one in self._tallies.items()
        ]
        return RecorderStatus(written_wall_ns=now_wall_ns, cameras=cameras)
