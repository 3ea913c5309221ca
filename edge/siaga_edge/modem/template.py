"""What the node says by itself: texts as data, checked when they are read."""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib import resources

import msgspec
from msgspec import Struct

from siaga_core.errors import SiagaError
from siaga_core.wire.gsm7 import (
    SINGLE_SEPTETS,
    TYPOGRAPHY,
    clipped,
    fits,
    named,
    septets,
    transliterated,
    with_codes,
)
from siaga_edge.modem.conversation import KIND, Text

INSTEAD_MOST = 60
# An alert that may have been lost goes again behind `(ulang) `, and is still one part.
AGAIN_SEPTETS = 8
_TEMPLATES: tuple[Text, ...] = tuple(KIND)
_DUTY = ("alarm", "back", "untaken", "mixed", "which")
_NUMBER = "+628123456789012"


class BadText(SiagaError, ValueError):
    """A text that would not be one part, or that has another's place in it."""


class Texts(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every text; `citizen` by template."""

    instead: str
    citizen: dict[Text, str]
    duty: dict[str, str]


@cache
def texts() -> Texts:
    """The texts that ship with the package. Raises BadText, so that a bad one stops the service at start."""
    raw = resources.files(__package__).joinpath("texts.toml").read_text(encoding="utf-8")
    return checked(msgspec.convert(tomllib.loads(raw), Texts))


def checked(given: Texts) -> Texts:
    """Return texts of which each is one part with the longest filling. Raises BadText."""
    missing = set(_TEMPLATES) ^ set(given.citizen)
    if missing or set(given.duty) != set(_DUTY):
        exactly = ", ".join((*_TEMPLATES, *(f"duty.{name}" for name in _DUTY)))
        raise BadText(f"texts.toml: there must be exactly {exactly}")
    for name, text in given.citizen.items():
        if septets(text.translate(TYPOGRAPHY)) is None:
            raise BadText(f"texts.toml: {name} has letters that one part of an SMS cannot hold")
        for instead in (given.instead, "x" * INSTEAD_MOST):
            _one_part(name, _filled(text, instead))
        if KIND[name] != "bounce" and "{" in text:
            raise BadText(f"texts.toml: {name} has a place to fill; it must not repeat anything")
    codes = "MMMM dan 99 lain"
    for of_codes in ("back", "untaken", "mixed", "which"):
        _one_part(of_codes, given.duty[of_codes].format(codes=codes, untaken=codes))
    _one_part("alarm", given.duty["alarm"].format(code="MMMM", priority="P1", what="", number=_NUMBER))
    return given


def citizen(template: Text, instead: str = "", given: Texts | None = None) -> str:
    """The text of `template`. It holds nothing of what the citizen wrote: there is no way to pass that in."""
    known = given or texts()
    return _filled(known.citizen[template], clipped(instead, INSTEAD_MOST) or known.instead)


def alarm(code: str, priority: str, what: str, number: str | None, given: Texts | None = None) -> str:
    """The text to a duty phone; `what` is cut to what one part leaves."""
    text = (given or texts()).duty["alarm"]
    empty = text.format(code=code, priority=priority, what="", number=number or "?")
    room = SINGLE_SEPTETS - AGAIN_SEPTETS - (septets(transliterated(empty)) or 0)
    said = clipped(" ".join(what.split()), room)
    return transliterated(text.format(code=code, priority=priority, what=said, number=number or "?"))


def back(codes: Sequence[str], untaken: Sequence[str] = (), given: Texts | None = None) -> str:
    """The text to a duty phone when the hub has what it was texted of; `untaken`: codes nobody had taken.

    Codes beyond one part are counted, those that somebody took first.
    """
    duty = (given or texts()).duty
    if not untaken:
        return with_codes(duty["back"], codes)
    if not codes:
        return with_codes(duty["untaken"], untaken)
    for shown in range(len(codes), 0, -1):
        text = duty["mixed"].replace("{codes}", named(codes, shown)).replace("{untaken}", "{codes}")
        made = with_codes(text, untaken)
        if fits(made) and all(code in made for code in untaken):
            return made
    return made


def which(codes: Sequence[str], given: Texts | None = None) -> str:
    """The text to a duty phone whose answer does not say which of its alarms it means."""
    return with_codes((given or texts()).duty["which"], codes)


def _filled(text: str, instead: str) -> str:
    return transliterated(text.replace("{instead}", instead))


def _one_part(name: str, text: str) -> None:
    count = septets(text)
    if count is None or count > SINGLE_SEPTETS:
        raise BadText(f"texts.toml: {name} takes {count} septets of {SINGLE_SEPTETS}; make it shorter")
