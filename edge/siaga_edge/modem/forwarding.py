"""Call forwarding at busy and no reply, kept as the config says (3GPP TS 27.007 §7.11, 22.082). Pure.

Never unconditional: with that the node would not ring, and no call would leave a record.
"""

import re
from collections.abc import Collection, Mapping

from siaga_core.service.logs import mask_number
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.vitals import Verdict

CODE = "modem.forwarding"
CHECK_EVERY_S = 600.0
UNCONDITIONAL, BUSY, NO_REPLY = 0, 1, 2
REASONS = (UNCONDITIONAL, BUSY, NO_REPLY)
# Longer than the node lets it ring: its own rejection forwards as busy, this is for a node that is not there.
NO_REPLY_S = 20


def query(reason: int) -> str:
    """The command that asks the network."""
    return f"AT+CCFC={reason},2"


def target(answer: list[str]) -> str | None:
    """Where voice calls go, of its answer: None if nowhere, empty if the network does not say."""
    for line in answer:
        found = re.match(r'\+CCFC: ?1, ?(\d+)(?:, ?"([^"]*)"(?:, ?(\d+))?)?', line)
        if found and int(found[1]) & 1:
            number = found[2] or ""
            return f"+{number}" if found[3] == "145" and not number.startswith("+") else number
    return None


def loops(wanted: str, own: Collection[str]) -> bool:
    """Whether calls would come back to a modem of this node."""
    return (to_e164(wanted) or wanted) in {to_e164(number) or number for number in own}


def orders(found: Mapping[int, str | None], wanted: str) -> list[str]:
    """What brings the network from what was found to what is wanted; it never sets the unconditional one."""
    kind = 145 if wanted.startswith("+") else 129
    given = [f"AT+CCFC={UNCONDITIONAL},4"] if found[UNCONDITIONAL] is not None else []
    for reason in (BUSY, NO_REPLY):
        if not _same(found[reason], wanted):
            timed = f",1,,,{NO_REPLY_S}" if reason == NO_REPLY else ""
            given.append(f'AT+CCFC={reason},3,"{wanted}",{kind}{timed}')
    return given


def verdict(found: Mapping[int, str | None], wanted: str, *, set_again: bool) -> Verdict:
    """How it stands. `set_again`: it had been right before, and had to be set anew."""
    if found[UNCONDITIONAL] is not None:
        return Verdict(CODE, "crit", "every call is forwarded before it rings here")
    if orders(found, wanted):
        return Verdict(CODE, "crit", "calls are not forwarded at busy and no reply")
    if set_again:
        return Verdict(CODE, "warn", "forwarding was lost and is set again")
    return Verdict(CODE, "ok", f"to {mask_number(wanted)}")


def refusal(wanted: str) -> Verdict:
    """Of a config whose calls would go round in a circle."""
    return Verdict(CODE, "crit", f"not forwarded to {mask_number(wanted)}: it is a modem of this node")


def _same(found: str | None, wanted: str) -> bool:
    return found is not None and (to_e164(found) or found) == (to_e164(wanted) or wanted)
