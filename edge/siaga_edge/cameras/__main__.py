"""`python -m siaga_edge.cameras --config node.toml`: judge the cameras' pictures and send pictures up."""

import sys
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.config import ConfigError
from siaga_core.service.workers import Supervisor
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, path: Path) -> Supervisor:
    """The service's workers."""
    from siaga_edge.cameras.wiring import build as wire

    settings = frame.section(path, "picture", config.picture)
    for index, camera in enumerate(config.cameras):
        try:
            camera.password()
        except OSError as error:
            key = f"cameras[{index}].password_file"
            raise ConfigError(path, key, f"cannot be read: {error.strerror}") from error
    return wire(config, settings, SystemClock())


if __name__ == "__main__":
    sys.exit(
        frame.main("siaga_edge.cameras", __doc__, ("cv2", "numpy", "onvif", "zeep"), build, sys.argv[1:])
    )
