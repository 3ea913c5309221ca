"""Turns the subjects of events into the rows of the live lanes, as they are now."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection

from siaga_central.console.context import Console
from siaga_central.store import views
from siaga_central.store.roster import SUBJECT

T = TypeVar("T")
Maker = Callable[[T], str | None]

# Which lanes of the page carry which kind of row; a row leaves every other lane of its family.
INCIDENT_LANES = frozenset({"act", "run"})
ALL_LANES = INCIDENT_LANES | {"signal", "callback"}
SIGNAL_LANES = frozenset({"signal"})

# The hub itself: what stands above every page changes for everybody.
HUB = "hub"
OF_ALL = (HUB, SUBJECT)  # what no lane shows and any page may


@dataclass(frozen=True, slots=True)
class Item:
    """One row now: the lane it belongs in (`` none any more), its key on the page, its order and markup."""

    family: str
    lane: str
    key: str
    order: int
    html: str


@dataclass(frozen=True, slots=True)
class Packet:
    """What changed up to event `seq`, in one language."""

    seq: int
    items: tuple[Item, ...]
    touched: tuple[str, ...]
    counts: dict[str, int]

    def only(self, lanes: frozenset[str]) -> "Packet":
        """The part that somebody who may see `lanes` may know."""
        families = {"incident"} if "act" in lanes else set()
        families |= lanes & {"signal", "callback"}
        items = tuple(item for item in self.items if item.family in families)
        rest = tuple(item.key for item in items) + tuple(name for name in OF_ALL if name in self.touched)
        touched = self.touched if "act" in lanes else rest
        return Packet(self.seq, items, touched, {lane: n for lane, n in self.counts.items() if lane in lanes})

    def body(self) -> dict[str, Any]:
        """The packet as JSON values."""
        items = [{"lane": i.lane, "key": i.key, "order": i.order, "html": i.html} for i in self.items]
        return {"seq": self.seq, "items": items, "touched": list(self.touched), "counts": self.counts}


def packet(
    console: Console, seq: int, subjects: Sequence[str], languages: Iterable[str]
) -> dict[str, Packet]:
    """Language -> what the rows of `subjects` look like now; each is read once, rendered per language."""
    with console.store.read() as connection:
        found, touched = _look_up(connection, list(dict.fromkeys(subjects)))
        counts = count(connection)
    return {
        language: Packet(
            seq, tuple(_item(console, language, seq, *row) for row in found), tuple(touched), counts
        )
        for language in languages
    }


def count(connection: Connection) -> dict[str, int]:
    """Lane -> how many rows it has in all."""
    act, run = views.counts_of_incidents(connection)
    return {
        "act": act,
        "run": run,
        "signal": views.signals(connection).total,
        "callback": views.callbacks(connection).total,
    }


def _look_up(connection: Connection, subjects: list[str]) -> tuple[list[tuple[str, str, Any]], list[str]]:
    found: dict[str, tuple[str, str, Any]] = {}
    touched: list[str] = []
    for subject in subjects:
        if subject in OF_ALL:
            touched.append(subject)
            continue
        incident_id = views.incident_of(connection, subject)
        if incident_id is not None:
            touched.append(incident_id)
            line = views.incident_line(connection, incident_id)
            if line is not None:
                found[incident_id] = ("incident", line.lane, line)
            for row in views.callbacks_of(connection, incident_id):
                found[row.id] = ("callback", "callback" if row.state == "waiting" else "", row)
            continue
        signal = views.signal(connection, subject)
        if signal is not None:
            touched.append(subject)
            found[subject] = ("signal", "signal" if signal[1] else "", signal[0])
    return list(found.values()), list(dict.fromkeys(touched))


def _item(console: Console, language: str, seq: int, family: str, lane: str, row: Any) -> Item:
    if family == "incident":
        key, order = f"incident-{row.incident.id}", row.place
        html = console.render("row_incident.html", language, line=row, lane=lane, seq=seq) if lane else ""
    elif family == "callback":
        key, order = f"callback-{row.id}", row.place
        html = console.render("row_callback.html", language, row=row, seq=seq) if lane else ""
    else:
        key, order = f"signal-{row.id}", row.place
        html = console.render("row_signal.html", language, row=row, seq=seq) if lane else ""
    return Item(family, lane, key, order, html)
