"""`python -m siaga_edge.health --config node.toml`: the health service."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from siaga_core.service.main import require, run_main, stop_on_signals
from siaga_core.service.workers import EXIT_STALLED, Heartbeat, Stop, Supervisor, die


def main(argv: Sequence[str] | None = None) -> int:
    """Run the service; the exit status."""
    parser = argparse.ArgumentParser(prog="siaga_edge.health", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    args = parser.parse_args(argv)
    require("edge", ("gpiozero", "psutil"))
    return run_main(lambda: _run(args.config))


def _run(path: Path) -> int:
    from siaga_core.service.clock import SystemClock
    from siaga_core.service.config import ConfigError
    from siaga_edge import node
    from siaga_edge.health.service import HealthService

    config = node.load(path)
    settings = config.health
    if settings is None:
        raise ConfigError(path, "health", "this node has no [health]; it does not run this service")
    supervisor = Supervisor()
    stop_on_signals(supervisor.stop)

    def work(stop: Stop, heartbeat: Heartbeat) -> None:
        service = HealthService(config, settings, SystemClock())
        try:
            service.work(stop, heartbeat)
        finally:
            service.close()

    supervisor.add("health", work, silence_limit_s=max(60, 3 * settings.every_s))
    status = supervisor.run()
    if status == EXIT_STALLED:
        die(status)
    return status


if __name__ == "__main__":
    sys.exit(main())
