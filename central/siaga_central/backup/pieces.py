"""What lies in the second place, and how it is called. Pure.

    base-<life>/database      the database file as it was
    base-<life>/log           its log at that moment; with it the base is whole
    base-<life>/0000000001    committed frames since then, in order
    identity-<number>         keys, passwords and config: a tar
    media/<name>              clips, once each

A life begins with every start of the hub and once a day; its name sorts by time (a ULID).
"""

import msgspec
from msgspec import Struct

DATABASE, LOG = "database", "log"
IDENTITY, MEDIA = "identity-", "media/"
_BASE = "base-"


class Label(Struct, frozen=True, kw_only=True):
    """What stands before the octets of a piece."""

    at_us: int  # the hub's wall clock, UTC
    event: int  # newest event that is in it
    page_bytes: int


def base(life: str, part: str) -> str:
    """Name of a part of a base."""
    return f"{_BASE}{life}/{part}"


def tail(life: str, number: int) -> str:
    """Name of a piece."""
    return base(life, f"{number:010d}")


def sealed(label: Label, octets: bytes) -> bytes:
    """A piece as it is put."""
    return msgspec.json.encode(label) + b"\n" + octets


def opened(octets: bytes) -> tuple[Label, bytes]:
    """A piece as it was. Raises ValueError."""
    head, _, rest = octets.partition(b"\n")
    try:
        return msgspec.json.decode(head, type=Label), rest
    except msgspec.DecodeError as error:
        raise ValueError(f"a piece without its label ({error})") from error


def lives(names: list[str]) -> list[str]:
    """Bases that are whole, newest first."""
    return sorted(
        {name[len(_BASE) :].partition("/")[0] for name in names if name.endswith(f"/{LOG}")}, reverse=True
    )


def tails(names: list[str], life: str, after: int = 0) -> list[int]:
    """Numbers of a base's pieces above `after`, up to the first that is missing."""
    start = f"{_BASE}{life}/"
    numbers = {int(name[len(start) :]) for name in names if name.startswith(start) and name[-1].isdigit()}
    found = []
    while after + 1 in numbers:
        after += 1
        found.append(after)
    return found


def needless(names: list[str], keep: int = 2) -> list[str]:
    """Objects of bases older than the newest `keep` whole ones, and identities before the last two."""
    oldest = min(lives(names)[:keep], default="")
    old = [name for name in names if name.startswith(_BASE) and _life(name) < oldest]
    identities = sorted(name for name in names if name.startswith(IDENTITY))
    return old + identities[:-keep]


def _life(name: str) -> str:
    return name[len(_BASE) :].partition("/")[0]
