"""`python -m siaga_edge.cameras --config node.toml`: judge the cameras' pictures and send pictures up."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.config import ConfigError
from siaga_core.service.main import require, run_main, stop_on_signals
from siaga_edge import node


def serve(path: Path) -> int:
    """Run until asked to stop."""
    require("edge", ["cv2", "numpy", "onvif", "zeep"])
    from siaga_edge.cameras.wiring import build

    config = node.load(path)
    if config.picture is None:
        raise ConfigError(path, "picture", "is missing; this node runs no cameras service")
    for index, camera in enumerate(config.cameras):
        try:
            camera.password()
        except OSError as error:
            key = f"cameras[{index}].password_file"
            raise ConfigError(path, key, f"cannot be read: {error.strerror}") from error
    config.node.data_dir.mkdir(parents=True, exist_ok=True)
    supervisor = build(config, config.picture, SystemClock())
    stop_on_signals(supervisor.stop)
    return supervisor.run()


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m siaga_edge.cameras", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    arguments = parser.parse_args(argv)
    return run_main(lambda: serve(arguments.config))


if __name__ == "__main__":
    sys.exit(main())
