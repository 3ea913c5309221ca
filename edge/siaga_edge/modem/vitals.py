"""How a modem and its SIM are, beyond answering: signal, network, slots, balance, term, loop-back. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from siaga_core.wire.health import Level

# 3GPP TS 27.007 §8.5: 0 is -113 dBm or less, each step 2 dB, 99 unknown. Below -103 dBm texts begin to fail.
WEAK_RSSI = 5
# 3GPP TS 27.007 §7.2: registered at home or roaming.
REGISTERED = frozenset({1, 5})
SLOTS_MOST = 0.7
EXPIRES_SOON_DAYS, EXPIRES_NOW_DAYS = 30, 7
# A text within one city takes seconds; a network under load minutes.
LOOP_LIMIT_S = 300.0
LOOP_FAILURES = 2
LOOP = "modem.loop"
LOOP_TEXT = re.compile(r"SIAGA-UJI ([0-9A-F]{8})\Z")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing about the modem: `code` names it for good, `detail` says how it is."""

    code: str
    level: Level
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Balance:
    """What a prepaid SIM still has, as the network's answer says it; None where it does not."""

    rupiah: int | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Loop:
    """The loop-back: the text under way, and how many in a row did not come round."""

    token: str = ""
    sent_mono_s: float = float("-inf")
    failures: int = 0
    heard_mono_s: float | None = None


def rssi(answer: list[str]) -> int | None:
    """Of AT+CSQ; None when the modem does not know."""
    found = _first(r"\+CSQ: ?(\d+),", answer)
    return None if found in (None, "99") else int(found or 0)


def registration(answer: list[str]) -> int | None:
    """<stat> of AT+CREG? or AT+CEREG?, also of the short form that a modem says by itself."""
    found = _first(r"\+C(?:E|G)?REG: ?(?:\d, ?)?(\d)(?:,|\Z)", answer)
    return None if found is None else int(found)


def dbm(strength: int) -> int:
    """Signal strength in dBm."""
    return -113 + 2 * strength


def signal(strength: int | None, stat: int | None) -> Verdict:
    """Whether the network is there and strong enough."""
    if stat is not None and stat not in REGISTERED:
        return Verdict("modem.network", "crit", f"not registered (CREG {stat})")
    if strength is None:
        return Verdict("modem.network", "warn", "signal unknown")
    level: Level = "warn" if strength <= WEAK_RSSI else "ok"
    return Verdict("modem.network", level, f"{dbm(strength)} dBm")


def slots(used: Mapping[str, tuple[int, int]]) -> Verdict:
    """After a sweep the stores are empty; what stays there cannot be deleted, and fills them."""
    full = [f"{name} {n}/{total}" for name, (n, total) in used.items() if total and n / total >= SLOTS_MOST]
    return Verdict("modem.slots", "warn" if full else "ok", ", ".join(full))


def inbox(*, is_blind: bool, hidden: int = 0) -> Verdict:
    """Whether a citizen's text can be had of the modem, which may do everything else well.

    `hidden`: messages that it counts, and neither lists nor gives.
    """
    if is_blind:
        why = "it neither lists nor reads its messages in PDU mode; another modem is needed"
        return Verdict("modem.inbox", "crit", why)
    if hidden:
        why = f"{hidden} messages are counted on the modem, which neither lists nor gives them"
        return Verdict("modem.inbox", "warn", why)
    return Verdict("modem.inbox", "ok")


def term(expires: date | None, today: date) -> Verdict:
    """A SIM past its term still registers, and receives nothing."""
    if expires is None:
        return Verdict("modem.sim", "ok")
    left = (expires - today).days
    level: Level = "crit" if left <= EXPIRES_NOW_DAYS else "warn" if left <= EXPIRES_SOON_DAYS else "ok"
    return Verdict("modem.sim", level, f"expires {expires.isoformat()}, {left} days left")


def read_balance(text: str) -> Balance:
    """Of a +CUSD answer: an amount after Rp, and the last date in it (day first, as operators write)."""
    amount = re.search(r"Rp\.? ?([0-9][0-9.,]*)", text)
    rupiah = int(re.sub(r"[.,]", "", re.sub(r"[.,]\d{2}\Z", "", amount[1]))) if amount else None
    dates = re.findall(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})\b", text)
    return Balance(rupiah, _date(*dates[-1]) if dates else None)


def balance(found: Balance, least: int) -> Verdict:
    """Whether there is enough to answer citizens with."""
    if found.rupiah is None:
        return Verdict("modem.balance", "unknown", "the network's answer names no amount")
    level: Level = "crit" if found.rupiah <= 0 else "warn" if found.rupiah < least else "ok"
    return Verdict("modem.balance", level, f"Rp {found.rupiah}")


def loop_text(token: str) -> str:
    """What the loop-back sends."""
    return f"SIAGA-UJI {token}"


def loop_token(text: str) -> str | None:
    """The token of a loop-back text; None for every other text, which is a report."""
    found = LOOP_TEXT.match(text)
    return found[1] if found else None


def loop_begun(loop: Loop, token: str, now_mono_s: float) -> Loop:
    """After a loop-back text was handed over."""
    return Loop(token, now_mono_s, loop.failures, loop.heard_mono_s)


def loop_heard(loop: Loop, now_mono_s: float) -> Loop:
    """After the other side has it."""
    return Loop("", loop.sent_mono_s, 0, now_mono_s)


def loop_failed(loop: Loop) -> Loop:
    """After it was refused, or did not come round in time."""
    return Loop("", loop.sent_mono_s, loop.failures + 1, loop.heard_mono_s)


def loop_is_late(loop: Loop, now_mono_s: float) -> bool:
    """Whether the text under way should have come round long ago."""
    return bool(loop.token) and now_mono_s - loop.sent_mono_s > LOOP_LIMIT_S


def loop_verdict(loop: Loop) -> Verdict:
    """One that fails may be the network's; two in a row are a SIM that looks healthy and is not."""
    level: Level = "crit" if loop.failures >= LOOP_FAILURES else "warn" if loop.failures else "ok"
    detail = f"{loop.failures} loop-back texts in a row did not come round" if loop.failures else ""
    return Verdict(LOOP, level, detail)


def _first(pattern: str, answer: list[str]) -> str | None:
    return next((found[1] for line in answer if (found := re.match(pattern, line))), None)


def _date(day: str, month: str, year: str) -> date | None:
    try:
        return date(int(year) + (2000 if len(year) == 2 else 0), int(month), int(day))
    except ValueError:
        return None
