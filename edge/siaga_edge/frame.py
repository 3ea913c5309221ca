"""What every service of a node does around its own work: arguments, config, workers, exit status."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from siaga_core.service.config import ConfigError
from siaga_core.service.main import require, run_main, stop_on_signals
from siaga_core.service.workers import EXIT_STALLED, Heartbeat, Stop, Supervisor, Work, die
from siaga_edge import node
from siaga_edge.node import NodeConfig

_S = TypeVar("_S")
Build = Callable[[NodeConfig, Path], Supervisor]


class Service(Protocol):
    """A worker with files of its own."""

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Until asked to stop."""

    def close(self) -> None:
        """Close its files."""


def main(module: str, description: str, modules: Iterable[str], build: Build, argv: Sequence[str]) -> int:
    """Run `python -m <module> --config node.toml`; the exit status. `modules` are what its extra installs."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description.partition(": ")[2])
    parser.add_argument("--config", type=Path, required=True, help="the node's TOML file")
    path: Path = parser.parse_args(argv).config
    require("edge", modules)
    return run_main(lambda: _run(path, build))


def section(path: Path, service: str, value: _S | None) -> _S:
    """The service's own table of the config. Raises ConfigError when it is missing."""
    if value is None:
        raise ConfigError(path, service, f"is missing; this node runs no {service} service")
    return value


def in_thread(make: Callable[[], Service]) -> Work:
    """Make a service in its worker's thread, and close it there: SQLite connections stay in one thread."""

    def work(stop: Stop, heartbeat: Heartbeat) -> None:
        service = make()
        try:
            service.work(stop, heartbeat)
        finally:
            service.close()

    return work


def _run(path: Path, build: Build) -> int:
    config = node.load(path)
    config.node.data_dir.mkdir(parents=True, exist_ok=True)
    supervisor = build(config, path)
    stop_on_signals(supervisor.stop)
    status = supervisor.run()
    if status == EXIT_STALLED:
        sys.stdout.flush()
        die(status)
    return status
