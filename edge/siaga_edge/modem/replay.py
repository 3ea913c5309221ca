"""A journal's raw messages and calls run through the pure parts again: the same reports, or what differs."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import msgspec

from siaga_core.service.clock import Boot
from siaga_core.service.database import open_reader
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal
from siaga_edge.modem import at, call, call_log, calls
from siaga_edge.modem.call import Note
from siaga_edge.modem.call_log import Begun, Entry
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA

Step = Callable[
    [call.Line, call.Event, float, float, Callable[[], str]], tuple[call.Line, tuple[call.Deed, ...]]
]


@dataclass(frozen=True, slots=True)
class Kept:
    """One raw message as the node kept it. `report_id` is empty for what is no report: a status, a trial."""

    memory: str
    slot: int
    pdu: str
    report_id: str
    at_wall_ns: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of it: reports that are alike, that differ, and that one side does not have.

    `calls` are states of calls that were made again; `why` says of each difference what was and what is.
    """

    messages: int
    calls: int
    same: int
    different: tuple[str, ...]
    missing: tuple[str, ...]
    why: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether every report came out as it had been."""
        return not self.different and not self.missing


class _At:
    """A clock that shows when a message came."""

    def __init__(self) -> None:
        self.now_wall_ns = 0

    def mono_s(self) -> float:
        return self.now_wall_ns / 1e9

    def boot_ns(self) -> int:
        return self.now_wall_ns

    def wall_ns(self) -> int:
        return self.now_wall_ns


def replay(journal: Path, kind: type[Intake] = Intake, step: Step = call.step) -> Replayed:
    """Run what `journal` keeps through intake, assembly and calls again. Raises StoreMissing.

    The journal is only read, and may belong to a service that runs. Records that the hub has long
    acknowledged are pruned from it; those are made again and compared with nothing, of calls by number and
    revision alone.
    """
    connection = open_reader(journal)
    try:
        messages, before = _kept(connection), _reports(connection)
        end_wall_ns = _end(connection)
        states, spells = _call_states(connection), call_log.read(connection)
    finally:
        connection.close()
    ours = {id: report for id, report in before.items() if report.sms is not None}
    # The modem's name is the config's, which may have changed since.
    after = {
        id: msgspec.structs.replace(report, modem=ours[id].modem if id in ours else report.modem)
        for id, report in _again(messages, end_wall_ns, kind).items()
    }
    found = [_compare(id, report, after.get(id)) for id, report in ours.items()]
    called = [one for spell in spells for one in _called_again(spell, states, step)]
    differ = [one for one in (*found, *called) if one.why]
    return Replayed(
        messages=len(messages),
        calls=len(called),
        same=len({one.report_id for one in (*found, *called)} - {one.report_id for one in differ}),
        different=_ids(one for one in differ if not one.missing),
        missing=_ids(one for one in differ if one.missing),
        why=tuple(one.why for one in differ),
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    """One report, or one state of a call: `why` is empty when both sides are alike."""

    report_id: str
    why: str = ""
    missing: bool = False


def _ids(found: Iterable[_Compared]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.report_id for one in found))


def _compare(id: str, was: Report, now: Report | None) -> _Compared:
    if now is None:
        return _Compared(id, f"{id} revision {was.revision} does not come out again", missing=True)
    old, new = _fields(was), _fields(now)
    changed = [
        f"{name} was {old[name]!r}, is {new.get(name)!r}" for name in old if old[name] != new.get(name)
    ]
    return _Compared(id, f"{id} revision {was.revision}: {'; '.join(changed)}" if changed else "")


def _fields(report: Report) -> dict[str, object]:
    """A report's fields, one level deep; what a prompt heard of a caller is no decision of the pure part."""
    flat: dict[str, object] = {}
    for name, value in msgspec.to_builtins(report).items():
        parts = value.items() if isinstance(value, dict) else [("", value)]
        flat |= {f"{name}.{key}".rstrip("."): part for key, part in parts}
    return {name: value for name, value in flat.items() if name not in ("call.prompt", "call.recording")}


def _called_again(spell: list[Entry], states: dict[tuple[str, int], Report], step: Step) -> list[_Compared]:
    """What one spell of calls makes, beside what it made."""
    begun = msgspec.json.decode(spell[0].said, type=Begun)
    line, found = begun.line, list[_Compared]()
    for one in spell[1:]:
        event = _event(one)
        if event is None:
            continue
        known = {leg.report_id for leg in line.legs}
        fresh = iter([id for id, _ in one.noted if id not in known])
        line, deeds = step(
            line, event, one.mono_s, begun.reject_after_s, partial(next, fresh, "another call")
        )
        made = {
            (deed.leg.report_id, deed.leg.revision): call.report(deed.leg, begun.modem)
            for deed in deeds
            if isinstance(deed, Note)
        }
        for key in dict.fromkeys((*one.noted, *made)):
            found.append(_compare_state(key, made.get(key), states.get(key), noted=key in one.noted))
    return found


def _compare_state(key: tuple[str, int], now: Report | None, was: Report | None, *, noted: bool) -> _Compared:
    """One state of a call; one that the journal no longer holds is compared by its number alone."""
    id, revision = key
    if now is None:
        return _Compared(id, f"{id} revision {revision} does not come out again", missing=True)
    if not noted:
        return _Compared(id, f"{id} revision {revision} comes out and was not there: {now.call}")
    return _Compared(id) if was is None else _compare(id, was, now)


def _event(entry: Entry) -> call.Event | None:
    """What an entry says to the pure part; None for a line that is no longer taken for a call's."""
    match entry.kind:
        case "said":
            return calls.event_of(entry.said)
        case "listed":
            return call.Told(calls.listed(entry.said.split("\n")))
        case "unlisted":
            return call.Told(None)
        case "event":
            name, fields = msgspec.json.decode(entry.said)
            kinds = {kind.__name__: kind for kind in get_args(call.Event)}
            event: call.Event = msgspec.convert(fields, kinds[name])
            return event
    return call.Passed()


def _again(messages: list[Kept], end_wall_ns: int, kind: type[Intake]) -> dict[str, Report]:
    clock, named = _At(), ""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.db", clock, Boot(1, "replay"), extra_schema=SCHEMA)
        try:
            modem = "modem"
            intake = kind(journal, modem, clock, lambda: named, lambda _status: None)
            for message in messages:
                clock.now_wall_ns, named = message.at_wall_ns, message.report_id
                intake.give_up_missing()
                intake.commit(message.memory, [at.Stored(message.slot, message.pdu)])
                intake.freed(message.memory, message.slot)
            clock.now_wall_ns = end_wall_ns
            intake.give_up_missing()
            return _reports(journal.connection)
        finally:
            journal.close()


def _kept(connection: sqlite3.Connection) -> list[Kept]:
    rows: Iterable[sqlite3.Row] = connection.execute("SELECT * FROM pdu WHERE report_id != '' ORDER BY id")
    return [Kept(row["memory"], row["slot"], row["pdu"], row["report_id"], row["at_wall_ns"]) for row in rows]


def _reports(connection: sqlite3.Connection) -> dict[str, Report]:
    """The newest revision of every report that the journal still holds."""
    newest: dict[str, Report] = {}
    for row in connection.execute("SELECT body FROM record WHERE kind = 'report' ORDER BY lane, seq"):
        report = msgspec.json.decode(row["body"], type=Report)
        newest[report.report_id] = report
    return newest


def _call_states(connection: sqlite3.Connection) -> dict[tuple[str, int], Report]:
    """Every state of a call that the journal still holds."""
    rows = connection.execute("SELECT body FROM record WHERE kind = 'report' ORDER BY lane, seq")
    reports = [msgspec.json.decode(row["body"], type=Report) for row in rows]
    return {(one.report_id, one.revision): one for one in reports if one.call is not None}


def _end(connection: sqlite3.Connection) -> int:
    """The time of the journal's newest record: what was overdue then had been given up."""
    query = "SELECT max(json_extract(at, '$.wall_ns')) FROM record WHERE lane = 'urgent'"
    return int(connection.execute(query).fetchone()[0] or 0)
