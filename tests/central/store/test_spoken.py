"""An incident's age and deadline count from the citizen's time, as far as the node's clock is believed."""

import pytest
from sqlalchemy import Connection, insert

from siaga_central.store import schema as t
from siaga_central.store import spoken, views
from siaga_central.store.writer import Store

_S, _HOUR, _DAY = 1_000_000, 3600 * 1_000_000, 86_400 * 1_000_000
_HAD = 1_790_000_000 * _S  # when the hub had it


def _report(c: Connection, arrived_us: int, clock: str = "synced", name: str = "1") -> None:
    values = {"number": f"K-{name}", "state": "new", "category": "LAIN", "priority": "P2", "source": "sms"}
    c.execute(insert(t.incident).values(id=f"i{name}", **values, opened_us=_HAD, changed_us=_HAD))
    said = {"id": f"r{name}", "incident": f"i{name}", "node": "gsm-001", "revision": 1, "source": "sms"}
    times = {"arrived_us": arrived_us, "clock": clock, "received_us": _HAD}
    c.execute(insert(t.report).values(**said, **times, body="{}"))


def _correction(c: Connection, low_us: int, high_us: int, source: str) -> None:
    values = {"node": "gsm-001", "stream": "modem.urgent", "epoch": "0" * 16, "seq": 1, "subject": "r1"}
    boot = {"boot_id": "b", "boot_seq": 1, "boot_ns": 1, "made_us": _HAD, "source": source}
    c.execute(insert(t.correction).values(**values, **boot, low_ns=low_us * 1000, high_ns=high_us * 1000))


def _line(store: Store) -> views.IncidentLine:
    with store.read() as connection:
        found = views.incident_line(connection, "i1")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("arrived_us", "clock", "expected"),
    [
        (_HAD - 3 * _HOUR, "synced", _HAD - 3 * _HOUR),
        (_HAD - 3 * _HOUR, "holdover", _HAD - 3 * _HOUR),
        (_HAD - 3 * _HOUR, "unknown", _HAD),
        (_HAD - 3 * _HOUR, "floor", _HAD),
        (_HAD + 5 * _HOUR, "synced", _HAD),  # it has not come yet
        (_HAD - 400 * _DAY, "synced", _HAD),  # nothing is kept that long
        (_HAD - spoken.OLDEST_US, "synced", _HAD - spoken.OLDEST_US),
    ],
)
def test_a_nodes_clock_is_believed_when_it_knows_the_time_and_it_can_be(
    store: Store, arrived_us: int, clock: str, expected: int
) -> None:
    store.write(lambda c: _report(c, arrived_us, clock))
    line = _line(store)
    assert line.spoken_us == expected
    assert line.deadline_us == expected + views.TAKE_WITHIN_US["P2"]
    assert line.is_late == (expected < _HAD)


@pytest.mark.parametrize(
    ("low_us", "high_us", "source", "expected"),
    [
        (_HAD - 2 * _HOUR, _HAD - 2 * _HOUR + _S, "hub", _HAD - 2 * _HOUR + _S),
        (_HAD - 2 * _HOUR, _HAD - _HOUR, "boots", _HAD - _HOUR),  # at least an hour ago
        (_HAD - 2 * _HOUR, _HAD + 2 * _S, "boots", _HAD),
        (_HAD - 2 * _HOUR, _HAD - 2 * _HOUR + _S, "modem", _HAD),  # a hint is no time
        (_HAD - 90 * _DAY, _HAD - 80 * _DAY, "ntp", _HAD),
    ],
)
def test_what_the_hub_reckoned_is_believed_before_the_stamp(
    store: Store, low_us: int, high_us: int, source: str, expected: int
) -> None:
    store.write(lambda c: _report(c, _HAD - 9 * _HOUR, "unknown"))
    store.write(lambda c: _correction(c, _HAD - 8 * _HOUR, _HAD - 7 * _HOUR, "ntp"))
    store.write(lambda c: _correction(c, low_us, high_us, source))
    assert _line(store).spoken_us == expected


def test_of_two_incidents_the_one_whose_citizen_waits_longer_is_on_top(store: Store) -> None:
    store.write(lambda c: _report(c, _HAD - _S, name="1"))
    store.write(lambda c: _report(c, _HAD - 2 * _HOUR, name="2"))
    store.write(lambda c: _report(c, _HAD - 9 * _HOUR, "unknown", name="3"))
    with store.read() as connection:
        lane = views.needs_action(connection)
    assert [line.incident.id for line in lane.rows] == ["i2", "i1", "i3"]


def test_the_counts_of_the_lanes_are_those_of_their_rows(store: Store) -> None:
    def furnish(c: Connection) -> None:
        for name in "1234":
            _report(c, _HAD, name=name)
        c.execute(t.incident.update().where(t.incident.c.id == "i2").values(closed_us=_HAD))
        c.execute(t.incident.update().where(t.incident.c.id.in_(("i3", "i4"))).values(taken_by="ani"))
        deed = {"kind": "incident.noted", "subject": "i4", "actor": "ani", "body": "{}"}
        c.execute(insert(t.event).values(**deed, at_us=_HAD + 1))

    store.write(furnish)
    with store.read() as connection:
        lanes = views.needs_action(connection).total, views.running(connection).total
        assert views.counts_of_incidents(connection) == lanes == (2, 1)
