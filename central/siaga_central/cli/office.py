"""The socket over which the command line gives its orders to a running hub."""

import contextlib
import json
import logging
import socket
from pathlib import Path
from typing import Any

from siaga_central.cli.ledger import Office, Refused
from siaga_central.cli.orders import carry_out
from siaga_core.errors import SiagaError
from siaga_core.service.workers import Heartbeat, Stop

log = logging.getLogger(__name__)

POLL_S = 0.3
LIMIT_S = 30.0
_MOST_BYTES = 64 * 1024


def socket_path(data_dir: Path) -> Path:
    """Where the running hub listens; only its own user may connect."""
    return data_dir / "office.sock"


class OfficeDoor:
    """The worker that takes orders."""

    def __init__(self, office: Office, path: Path) -> None:
        self._office = office
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.bind(str(path))
        path.chmod(0o600)
        self._socket.listen(8)
        self._socket.settimeout(POLL_S)

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Carry out one order after the other until asked to stop."""
        while not stop.is_set():
            heartbeat.beat()
            with contextlib.suppress(TimeoutError):
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(LIMIT_S)
                    connection.sendall(json.dumps(self._answer(connection)).encode() + b"\n")

    def _answer(self, connection: socket.socket) -> dict[str, Any]:
        with connection.makefile("rb") as lines:
            line = lines.readline(_MOST_BYTES)
        try:
            order = json.loads(line)
            return {"ok": True, **carry_out(self._office, order["order"], order["keys"])}
        except SiagaError as error:
            return {"ok": False, "error": str(error)}
        except Exception as error:  # the boundary: a bad order must not end the hub
            log.exception("order failed")
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}


def ask(path: Path, order: str, keys: dict[str, Any]) -> dict[str, Any] | None:
    """Give an order to a running hub; None when none runs. Raises Refused."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as connection:
        connection.settimeout(LIMIT_S)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        connection.sendall(json.dumps({"order": order, "keys": keys}).encode() + b"\n")
        with connection.makefile("rb") as lines:
            answer: dict[str, Any] = json.loads(
                lines.readline() or b'{"ok": false, "error": "the hub ended"}'
            )
    if not answer.pop("ok"):
        raise Refused(answer["error"])
    return answer
