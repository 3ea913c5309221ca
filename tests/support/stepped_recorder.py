"""The recorder's service with a wall clock that a test steps: `clock` in the node's folder says how far, and
whether anybody vouches for it. Everything else is the process that runs on a node."""

import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_core.wire.envelope import ClockState
from siaga_edge import frame
from siaga_edge.node import NodeConfig
from siaga_edge.recorder.service import RecorderService

NAME = "clock"


class SteppedClock(SystemClock):
    """The machine's own but for the steps."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def wall_ns(self) -> int:
        return super().wall_ns() + int(self._said()[0]) * 10**9

    def judge(self) -> tuple[ClockState, int | None]:
        """As the kernel would say it."""
        return ("synced", 10) if self._said()[1] == "synced" else ("unknown", None)

    def _said(self) -> list[str]:
        return self._file.read_text().split()


def step(folder: Path, seconds: int, state: ClockState) -> None:
    """Set the clock so far from the true time, at once."""
    part = folder / f"{NAME}.part"
    part.write_text(f"{seconds} {state}")
    part.replace(folder / NAME)


def build(config: NodeConfig, path: Path) -> Supervisor:
    """As siaga_edge.recorder.__main__ does it."""
    settings, clock = frame.section(path, "recorder", config.recorder), SteppedClock(path.parent / NAME)
    supervisor = Supervisor()
    work = frame.in_thread(lambda: RecorderService(config, settings, clock, clock.judge))
    supervisor.add("recorder", work, silence_limit_s=60)
    return supervisor


if __name__ == "__main__":
    sys.exit(frame.main("support.stepped_recorder", __doc__ or "", ("cryptography",), build, sys.argv[1:]))
