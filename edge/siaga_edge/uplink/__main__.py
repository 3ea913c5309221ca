"""`python -m siaga_edge.uplink --config node.toml`: hand everything over to the hub."""

import argparse
import queue
import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.main import require, run_main, stop_on_signals
from siaga_core.service.workers import Supervisor
from siaga_core.wire.health import ServiceState
from siaga_edge import node


def serve(path: Path) -> int:
    """Run until asked to stop."""
    require("edge", ["paho"])
    from siaga_edge.uplink.carrier import Uplink
    from siaga_edge.uplink.transfer import Courier

    config, clock = node.load(path), SystemClock()
    notices: queue.Queue[ServiceState] = queue.Queue(64)
    supervisor = Supervisor(clock)
    supervisor.add("link", Uplink(config, clock, notices).work, silence_limit_s=90)
    supervisor.add("courier", Courier(config.hub, config.transfers_dir, notices).work, silence_limit_s=180)
    stop_on_signals(supervisor.stop)
    return supervisor.run()


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m siaga_edge.uplink", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args(argv)
    return run_main(lambda: serve(arguments.config))


if __name__ == "__main__":
    sys.exit(main())
