"""The SIM's PIN: tried once, the try counted on disk first; three wrong ones and only the PUK helps."""

import contextlib
import logging
import re
from pathlib import Path
from typing import Protocol

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.files import write_atomic
from siaga_edge.modem import at
from siaga_edge.modem.port import Refused

log = logging.getLogger(__name__)

# Some SIMs take long to open their files after the PIN (measured by users of gsmmodem, issue 77: 15 s).
UNLOCK_LIMIT_S = 20.0
# 3GPP TS 31.101 §9.5: a SIM starts with three tries.
ALL_TRIES = 3
_TRIES = re.compile(r'(?:\+SPIC: ?|\+QPINC: ?"SC", ?|\^CPIN: ?[^,]*, ?)(\d+)')


class SimLocked(SiagaError, Transient):
    """The SIM cannot be used until a person has done something; no reset of the modem helps."""


class Asked(Protocol):
    """What is needed of the port."""

    def command(self, text: str, limit_s: float | None = None, *, enough: str = "") -> list[str]:
        """The answer to an AT command. Raises Refused and what a silent port raises."""


def unlock(port: Asked, pin_file: Path | None, tried: Path, tries_command: str = "") -> None:
    """Give the SIM its PIN if it asks for one. Raises SimLocked.

    `tried` is written, and synced, before the PIN leaves, and taken away when the SIM is open. While it is
    there no PIN is given, whoever restarts the service; only a SIM that says that it still has all its tries
    shows that the last one never reached it. A PUK is never entered: ten wrong ones destroy the card.
    """
    state = _state(port)
    if "READY" in state:
        tried.unlink(missing_ok=True)
        return
    if "PUK" in state:
        raise SimLocked("the SIM asks for its PUK; take it out and unlock it in a phone")
    if pin_file is None:
        raise SimLocked("the SIM asks for a PIN; name its file in pin_file, or switch the PIN off in a phone")
    left = tries_left(port, tries_command)
    if tried.exists() and left != ALL_TRIES:
        raise SimLocked(f"the SIM refused its PIN before; check {pin_file}, then delete {tried}")
    if left is not None and left < ALL_TRIES - 1:
        raise SimLocked(f"the SIM has only {left} of {ALL_TRIES} tries left; unlock it in a phone")
    _give(port, pin_file, tried)


def _state(port: Asked) -> str:
    """What the SIM asks for; READY also of a modem that cannot be asked. Nothing is entered then."""
    try:
        return " ".join(port.command("AT+CPIN?", UNLOCK_LIMIT_S, enough="+CPIN:"))
    except Refused as error:
        if not at.is_unknown(error.code):
            raise
        log.warning("modem does not say what its SIM asks for: %s", error.code)
        return "READY"


def tries_left(port: Asked, command: str) -> int | None:
    """How many wrong PINs the SIM still allows; None if it does not say."""
    if not command:
        return None
    with contextlib.suppress(Refused):
        found = _TRIES.search(" ".join(port.command(command)))
        return int(found[1]) if found else None
    return None


def _give(port: Asked, pin_file: Path, tried: Path) -> None:
    write_atomic(tried, b"given; nobody knows yet\n")
    try:
        port.command(f'AT+CPIN="{pin_file.read_text().strip()}"', UNLOCK_LIMIT_S)
    except Refused as error:
        write_atomic(tried, f"refused: {error.code}\n".encode())
        raise SimLocked(
            f"the SIM refused its PIN ({error.code}); check {pin_file}, then delete {tried}"
        ) from error
    tried.unlink()
