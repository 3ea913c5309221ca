"""`python -m siaga_edge.recorder --config node.toml`: the recorder."""

import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, path: Path) -> Supervisor:
    """The service's workers."""
    from siaga_edge.recorder.memory import keep_large_blocks
    from siaga_edge.recorder.service import RecorderService

    keep_large_blocks()
    settings = frame.section(path, "recorder", config.recorder)
    supervisor = Supervisor()
    work = frame.in_thread(lambda: RecorderService(config, settings, SystemClock()))
    supervisor.add("recorder", work, silence_limit_s=60)
    return supervisor


if __name__ == "__main__":
    sys.exit(frame.main("siaga_edge.recorder", __doc__, ("cryptography",), build, sys.argv[1:]))
