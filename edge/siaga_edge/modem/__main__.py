"""`python -m siaga_edge.modem --config node.toml`: the modem service."""

import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, path: Path) -> Supervisor:
    """The service's workers."""
    from siaga_edge.modem.service import ModemService

    settings = frame.section(path, "modem", config.modem)
    supervisor = Supervisor()
    work = frame.in_thread(lambda: ModemService(config, settings, SystemClock()))
    supervisor.add("modem", work, silence_limit_s=100)
    return supervisor


if __name__ == "__main__":
    sys.exit(frame.main("siaga_edge.modem", __doc__, ("gsmmodem", "serial"), build, sys.argv[1:]))
