"""No command picks up a call: a line without proved audio would make the caller think he was heard."""

import os
import pty
from collections.abc import Iterator

import pytest

from siaga_edge.modem import at
from siaga_edge.modem.port import NoAnswer, Port, Refused

ANSWERS = ["ATA", "ata", "AT A", "ATE0;A", "ATS0=1", "ATS0=002", "AT+CLIP=1;S0=1", "AT+CHLD=2", "AT+CHLD=1"]
HARMLESS = ["AT", "ATH", "ATS0=0", "AT+CHUP", "AT+CHLD=0", "AT+CLCC", "AT+CMGS=12", 'AT+CPMS="SM"', "ATE0"]


class InStep(Port):
    """A port on which nothing is owed, as after a modem's first answer."""

    def settle(self, limit_s: float = 0, tries: int = 0) -> None:
        """Nothing to find out."""
        self._owes = False


class Unguarded(InStep):
    """The mutant: behaves as if its audio had been proved from the start."""

    def connect(self, *_: object, **__: object) -> None:
        super().connect()
        self.audio_is_proved = True


@pytest.fixture
def line() -> Iterator[tuple[int, str]]:
    """A wire with nobody at the other end: the modem's side, and the name of ours."""
    far, near = pty.openpty()
    os.set_blocking(far, False)
    yield far, os.ttyname(near)
    os.close(far)
    os.close(near)


def written(kind: type[Port], line: tuple[int, str], command: str) -> bytes:
    """What reaches the modem when a service asks for `command`."""
    port = kind(line[1], 115200, 0.05)
    try:
        with pytest.raises((Refused, NoAnswer)):
            port.command(command)
        return os.read(line[0], 200)
    except BlockingIOError:
        return b""
    finally:
        port.close()


@pytest.mark.parametrize("command", ANSWERS)
def test_what_would_pick_up_a_call_is_known_and_never_reaches_the_modem(
    line: tuple[int, str], command: str
) -> None:
    assert at.answers_a_call(command)
    assert written(InStep, line, command) == b""


@pytest.mark.parametrize("command", HARMLESS)
def test_what_picks_up_nothing_passes(command: str) -> None:
    assert not at.answers_a_call(command)


def test_the_same_look_catches_a_port_without_the_guard(line: tuple[int, str]) -> None:
    assert b"ATA\r" in written(Unguarded, line, "ATA")
