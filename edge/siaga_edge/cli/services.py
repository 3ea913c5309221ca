"""`siaga-node run`: the services a node's config names, each its own process, started again when they end."""

import logging
import subprocess
import sys
import threading
from pathlib import Path

from siaga_core.service.clock import SystemClock
from siaga_core.service.notify import notify
from siaga_core.service.tether import tethered
from siaga_core.service.workers import Stop, back_off_s
from siaga_edge.node import NodeConfig

log = logging.getLogger(__name__)

END_LIMIT_S = 10.0
# A service that ran this long before it ended is started again at once.
STEADY_S = 30.0
_POLL_S = 0.1


def run(config: NodeConfig, path: Path, stop: Stop) -> int:
    """Run until asked to stop; no service outlives this, not even its kill."""
    threads = [
        threading.Thread(target=_keep, args=(service, path, stop), name=service, daemon=True)
        for service in config.services
    ]
    for thread in threads:
        thread.start()
    notify("READY=1")
    while not stop.wait(3600):
        continue
    for thread in threads:
        thread.join(END_LIMIT_S + 1)
    return 0


def _keep(service: str, path: Path, stop: Stop) -> None:
    clock, tries = SystemClock(), 0
    module, *second = ("modem", "--second") if service == "modemb" else (service,)
    command = [sys.executable, "-m", f"siaga_edge.{module}", "--config", str(path), *second]
    while not stop.is_set():
        started_s = clock.mono_s()
        with subprocess.Popen(tethered(command), stdin=subprocess.DEVNULL) as process:  # noqa: S603
            log.info("service started name=%s pid=%d", service, process.pid)
            while process.poll() is None and not stop.wait(_POLL_S):
                continue
            if stop.is_set():
                _end(service, process)
                return
        tries = 1 if clock.mono_s() - started_s > STEADY_S else tries + 1
        log.warning("service ended name=%s status=%s", service, process.returncode)
        stop.wait(back_off_s(tries, 0.5, first_s=0.3, most_s=10))


def _end(service: str, process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        log.warning("service did not end in %.0f s name=%s", END_LIMIT_S, service)
        process.kill()
