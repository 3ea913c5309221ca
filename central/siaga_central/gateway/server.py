"""A uvicorn inside the hub: in a worker's thread, ended in two seconds."""

import logging
import ssl
import threading
from pathlib import Path
from typing import Any

import uvicorn

from siaga_central.gateway.peer import PeerProtocol
from siaga_core.service.workers import Heartbeat, Stop

log = logging.getLogger(__name__)

POLL_S = 0.2
# uvicorn waits for open connections for ever unless told.
END_LIMIT_S = 2


class Server:
    """One listener as a supervised worker."""

    def __init__(self, name: str, server: uvicorn.Server) -> None:
        self._name = name
        # Outside the main thread uvicorn leaves signals alone: they are the program's own business.
        self._server = server

    def renew(self, chain: Path, key: Path) -> None:
        """Show this certificate from the next connection on; without TLS, or before the start, do nothing."""
        context = self._server.config.ssl if self._server.config.loaded else None
        if context is not None:
            context.load_cert_chain(str(chain), str(key))

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Serve until asked to stop; beats while the event loop turns."""
        thread = threading.Thread(target=self._server.run, name=f"{self._name}-loop", daemon=True)
        thread.start()
        while not stop.wait(POLL_S):
            if not thread.is_alive():
                raise OSError(f"{self._name} cannot listen; see its lines above")
            if self._server.started:
                heartbeat.beat()
        self._server.should_exit = True
        thread.join(END_LIMIT_S + 2)


def mutual_tls(app: Any, host: str, port: int, chain: Path, key: Path, ca: Path) -> uvicorn.Config:
    """HTTPS that asks for a client's certificate and takes a request without one: a claim has none yet."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=PeerProtocol,
        ws="none",
        ssl_certfile=str(chain),
        ssl_keyfile=str(key),
        ssl_ca_certs=str(ca),
        ssl_cert_reqs=ssl.CERT_OPTIONAL,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=END_LIMIT_S,
    )
