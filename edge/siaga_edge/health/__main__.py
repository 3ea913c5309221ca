"""`python -m siaga_edge.health --config node.toml`: the health service."""

import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, path: Path) -> Supervisor:
    """The service's workers."""
    from siaga_edge.health.service import HealthService

    settings = frame.section(path, "health", config.health)
    supervisor = Supervisor()
    work = frame.in_thread(lambda: HealthService(config, settings, SystemClock()))
    supervisor.add("health", work, silence_limit_s=max(60, 3 * settings.every_s))
    return supervisor


if __name__ == "__main__":
    sys.exit(frame.main("siaga_edge.health", __doc__, ("gpiozero", "psutil"), build, sys.argv[1:]))
