"""`python -m siaga_edge.modem --config node.toml [--second]`: one modem's service; [modemb] if second."""

import sys
from functools import partial
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.workers import Supervisor
from siaga_edge import frame
from siaga_edge.node import NodeConfig


def build(config: NodeConfig, path: Path, service: str = "modem") -> Supervisor:
    """The service's workers."""
    from siaga_edge.modem.service import ModemService

    settings = frame.section(path, service, config.modem if service == "modem" else config.modemb)
    supervisor = Supervisor()
    work = frame.in_thread(lambda: ModemService(config, settings, SystemClock(), service))
    supervisor.add("modem", work, silence_limit_s=100)
    return supervisor


if __name__ == "__main__":
    arguments = [word for word in sys.argv[1:] if word != "--second"]
    service = "modemb" if "--second" in sys.argv else "modem"
    serve = partial(build, service=service)
    sys.exit(frame.main("siaga_edge.modem", __doc__, ("gsmmodem", "serial"), serve, arguments))
