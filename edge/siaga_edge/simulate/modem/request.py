"""One AT command line taken apart into requests (3GPP TS 27.007 §4, ITU-T V.250 §5)."""

import re
from dataclasses import dataclass
from typing import Literal

Form = Literal["run", "set", "read", "test"]

_BASIC = re.compile(r"(&?[A-CE-Z])(\?|\d*)", re.IGNORECASE)
_EXTENDED = re.compile(r"([+^*$%][A-Z0-9_]+)(=\?|\?|=)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Request:
    """One command: `name` in capitals with its sign, the form it was given in, arguments unquoted."""

    name: str
    form: Form = "run"
    arguments: tuple[str, ...] = ()

    def number(self, place: int, default: int) -> int:
        """Argument at `place` as a number; `default` if left out. Raises ValueError for other text."""
        return int(self.arguments[place]) if self.given(place) else default

    def given(self, place: int) -> bool:
        """Whether argument `place` was given."""
        return place < len(self.arguments) and self.arguments[place] != ""


def parse(line: str) -> list[Request]:
    """The requests of a line after its `AT`. Raises ValueError when a part is no command."""
    requests: list[Request] = []
    rest = line.strip()
    while rest:
        request, rest = _next(rest)
        requests.append(request)
        rest = rest.lstrip("; ")
    return requests


def _next(rest: str) -> tuple[Request, str]:
    if rest[0] in "Dd":
        return Request("D", "set", (rest[1:],)), ""
    if match := _EXTENDED.match(rest):
        body, after = _cut(rest[match.end() :])
        form: Form = {"=?": "test", "?": "read", "=": "set"}.get(match[2] or "", "run")  # type: ignore[assignment]
        arguments = tuple(split(body)) if form == "set" else ()
        return Request(match[1].upper(), form, arguments), after
    if match := _BASIC.match(rest):
        if match[1].upper() == "S" and rest[match.end() : match.end() + 1] in ("=", "?"):
            return _register(match[2], rest[match.end() :])
        if match[2] == "?":
            return Request(match[1].upper(), "read"), rest[match.end() :]
        return Request(match[1].upper(), "run", (match[2],)), rest[match.end() :]
    raise ValueError(f"{rest!r} is no command")


def _register(number: str, rest: str) -> tuple[Request, str]:
    """`=1` and what follows it (ITU-T V.250 §5.3.2); an empty value is 0."""
    found = re.match(r"=(\d*)", rest)
    if found is None:
        return Request("S", "read", (number,)), rest[1:]
    return Request("S", "set", (number, found[1])), rest[found.end() :]


def _cut(body: str) -> tuple[str, str]:
    """Split at the first semicolon outside quotes."""
    quoted = False
    for place, character in enumerate(body):
        quoted ^= character == '"'
        if character == ";" and not quoted:
            return body[:place], body[place + 1 :]
    return body, ""


def split(body: str) -> list[str]:
    """Arguments between commas outside quotes, without their quotes."""
    arguments, quoted = [""], False
    for character in body:
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            arguments.append("")
        else:
            arguments[-1] += character
    return [argument.strip() for argument in arguments]
