"""Bringing a modem up: what it is asked and told before it serves. It may refuse any of it.

Old telephones, firmware of the cheaper kind and programs that play modems know less than the standards ask;
what is missing is done without, and told where it matters.
"""

import contextlib
import logging
import re
from dataclasses import dataclass

from siaga_edge.modem import at
from siaga_edge.modem.port import Port, Refused
from siaga_edge.modem.profile import Profile

log = logging.getLogger(__name__)

# A store is selected for reading alone, or for writing and receiving too: some know only the longest form
# (oFono's phonesim), where the last may have to be the SIM. Empty: the modem's one store is used as it is.
SELECTIONS = ('AT+CPMS="{0}"', 'AT+CPMS="{0}","{0}"', 'AT+CPMS="{0}","{0}","{0}"', 'AT+CPMS="{0}","{0}","SM"')
AS_IT_IS = ""
# What a modem that accepted nothing, as its SIM was not ready, would say if it did announce.
_ANNOUNCING = "AT+CNMI=2,1"
_MODEL_QUESTIONS = ("AT+CGMM", "AT+GMM", "ATI")
# Radio off, as a program before us may have left it (27.007 §8.2): such a modem never registers.
_RADIO_IS_OFF = re.compile(r"\+CFUN: ?[04](?:,|\Z)")


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores to be swept, and how one is selected."""

    names: list[str]
    selection: str = SELECTIONS[0]


def model(port: Port) -> str:
    """What the modem calls itself; empty if it does not say. Raises NoAnswer, PortGone."""
    for question in _MODEL_QUESTIONS:
        with contextlib.suppress(Refused):
            if said := " ".join(port.command(question)):
                return said
    return ""


def tell(port: Port, commands: list[str]) -> None:
    """Say each of `commands`; one refused is said in its parts. Raises NoAnswer, PortGone."""
    for command in commands:
        try:
            port.command(command)
        except Refused as error:
            log.info("modem has no %s: %s", command, error)
            for part in _parts(command):
                with contextlib.suppress(Refused):
                    port.command(part)


def switch_on(port: Port, limit_s: float) -> None:
    """Have the radio on. Raises NoAnswer, PortGone."""
    with contextlib.suppress(Refused):
        if any(map(_RADIO_IS_OFF.match, port.command("AT+CFUN?"))):
            log.warning("modem had its radio off; it is switched on")
            port.command("AT+CFUN=1", limit_s)


def announce(port: Port, commands: list[str]) -> str:
    """Have new messages announced: the first of `commands` that is accepted, empty if none is."""
    for command in commands:
        with contextlib.suppress(Refused):
            port.command(command)
            return command
    return ""


def still_announces(port: Port, accepted: str) -> bool:
    """Whether the modem does as `accepted` told it; yes if it does not say. Raises NoAnswer, PortGone."""
    wanted = (accepted or _ANNOUNCING).partition("=")[2].split(",")[:2]
    with contextlib.suppress(Refused):
        for line in port.command("AT+CNMI?"):
            if line.startswith("+CNMI:"):
                return [number.strip() for number in line.partition(":")[2].split(",")[:2]] == wanted
    return True


def stores(port: Port, profile: Profile) -> Stores:
    """The stores of the profile or those the modem names. Raises NoAnswer, PortGone."""
    names: list[str] = [*profile.stores]
    try:
        names = names or at.memories(port.command("AT+CPMS=?"))
    except Refused:
        names = at.memories([])
    for selection in SELECTIONS:
        for name in names:
            try:
                port.command(selection.format(name))
            except Refused as error:
                if not at.is_unknown(error.code):
                    return Stores(names)  # it knows the command, and cannot now
            else:
                return Stores(names, selection)
    log.warning("modem lets no store be selected; the one it uses is swept")
    return Stores([AS_IT_IS])


def _parts(command: str) -> list[str]:
    """`ATE0V1Q0` as three commands; nothing for a command of one part."""
    if not re.fullmatch(r"AT(?:[A-Z]\d){2,}", command):
        return []
    return [f"AT{part}" for part in re.findall(r"[A-Z]\d", command)]
