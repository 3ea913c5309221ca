"""What the lanes' queries promise: nothing new is hidden, whatever the queue."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, insert

from siaga_central.store import schema as t
from siaga_central.store import views


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    t.metadata.create_all(engine)
    with engine.begin() as opened:
        yield opened
    engine.dispose()


def _incident(
    connection: Connection, name: str, opened_us: int, taken_by: str | None = None, priority: str = "P2"
) -> None:
    values = {
        "id": name,
        "number": name,
        "state": "new",
        "category": "LAIN",
        "priority": priority,
    }
    times = {"source": "sms", "opened_us": opened_us, "changed_us": opened_us}
    connection.execute(insert(t.incident).values(**values, **times, taken_by=taken_by))


def _report(connection: Connection, name: str, incident: str, at_us: int) -> None:
    values = {"id": name, "incident": incident, "node": "gsm-1", "revision": 1, "source": "sms", "body": "{}"}
    connection.execute(insert(t.report).values(**values, arrived_us=at_us, received_us=at_us))


def _deed(connection: Connection, incident: str, actor: str, at_us: int) -> None:
    values = {"kind": "incident.noted", "subject": incident, "actor": actor, "body": "{}"}
    connection.execute(insert(t.event).values(**values, at_us=at_us))


def test_a_full_lane_shows_the_newest_report_and_says_how_many_it_hides(connection: Connection) -> None:
    for number in range(130):
        _incident(connection, f"K-{number}", 1000 * (1000 + number))
    lane = views.needs_action(connection)
    shown = [line.incident.number for line in lane.rows]
    assert (lane.total, len(shown), lane.hidden) == (130, 100, 30)
    assert shown[0] == "K-0"
    assert shown[-1] == "K-129"


def test_a_report_after_the_operators_last_deed_calls_for_action_again(connection: Connection) -> None:
    _incident(connection, "K-1", 5, taken_by="ani")
    _report(connection, "r-0", "K-1", 6)
    _deed(connection, "K-1", "ani", 10)
    assert (views.running(connection).total, views.needs_action(connection).total) == (1, 0)
    _report(connection, "r-1", "K-1", 20)
    assert (views.running(connection).total, views.needs_action(connection).total) == (0, 1)


def test_what_the_hub_or_a_node_does_is_no_operators_deed(connection: Connection) -> None:
    _incident(connection, "K-1", 5, taken_by="ani")
    _deed(connection, "K-1", "ani", 10)
    _report(connection, "r-1", "K-1", 20)
    _deed(connection, "K-1", "hub", 30)
    _deed(connection, "K-1", "node:gsm-1", 31)
    assert views.needs_action(connection).total == 1


def test_the_gravest_is_on_top_whatever_deadline_has_passed_below_it(connection: Connection) -> None:
    second = 1_000_000
    _incident(connection, "old P3", second, priority="P3")
    _incident(connection, "older P2", 0, priority="P2")
    _incident(connection, "late P1", 7200 * second, priority="P1")
    _incident(connection, "first P1", 7190 * second, priority="P1")
    expected = ["first P1", "late P1", "older P2", "old P3"]
    lines = views.needs_action(connection).rows
    assert [line.incident.number for line in lines] == expected
    # The place that a page puts a live row by agrees.
    assert sorted(lines, key=lambda line: line.place) == lines


def test_a_p1_is_shown_behind_a_long_queue_of_older_ones(connection: Connection) -> None:
    for number in range(130):
        _incident(connection, f"K-{number}", number, priority="P3")
    _incident(connection, "P1", 60, priority="P1")  # not among the newest either
    assert views.needs_action(connection).rows[0].incident.number == "P1"


def test_who_works_on_a_p1_stands_above_what_changed_later(connection: Connection) -> None:
    _incident(connection, "P1", 1, taken_by="ani", priority="P1")
    _incident(connection, "new P3", 900_000, taken_by="ani", priority="P3")
    _incident(connection, "newer P1", 5000, taken_by="ani", priority="P1")
    lines = views.running(connection).rows
    assert [line.incident.number for line in lines] == ["newer P1", "P1", "new P3"]


def test_who_rang_of_the_gravest_incident_is_rung_back_first(connection: Connection) -> None:
    for name, priority, rang_us in (("a", "P3", 1), ("b", "P1", 900_000), ("c", "P1", 800_000)):
        _incident(connection, name, 1, priority=priority)
        values = {"id": name, "incident": name, "first_us": rang_us, "last_us": rang_us}
        connection.execute(insert(t.callback).values(**values))
    rows = views.callbacks(connection).rows
    assert [row.id for row in rows] == ["c", "b", "a"]
    assert [row.place for row in rows] == sorted(row.place for row in rows)


def test_a_call_that_waited_for_the_link_is_rung_back_by_when_it_was_made(connection: Connection) -> None:
    hour = 3600 * 1_000_000
    had = 1_790_000_000 * 1_000_000
    for name, called_us in (("a", had - hour), ("b", had - 3 * hour), ("c", had)):
        _incident(connection, name, had)
        call = {"id": name, "incident": name, "node": "gsm-1", "revision": 1, "source": "call", "body": "{}"}
        times = {"arrived_us": called_us, "received_us": had, "clock": "synced"}
        connection.execute(insert(t.report).values(**call, **times, reporter_e164=f"+62{name}"))
        values = {"id": name, "incident": name, "first_us": had, "last_us": had, "number": f"+62{name}"}
        connection.execute(insert(t.callback).values(**values))
    rows = views.callbacks(connection).rows
    assert [(row.id, had - row.called_us, bool(row.is_late)) for row in rows] == [
        ("b", 3 * hour, True),
        ("a", hour, True),
        ("c", 0, False),
    ]


def test_incidents_of_one_millisecond_stand_by_their_id_in_both_lanes(connection: Connection) -> None:
    at_us = 5_000_000
    for name, later_us, taken_by in (("b", 0, None), ("a", 400, None), ("c", 900, None)):
        _incident(connection, name, at_us + later_us, taken_by)
        _incident(connection, f"{name}-run", at_us + later_us, "rina")
    shown = [
        [line.incident.id for line in lane(connection).rows] for lane in (views.needs_action, views.running)
    ]
    assert shown == [["a", "b", "c"], ["a-run", "b-run", "c-run"]]


def test_a_dead_sms_line_stands_first_of_all_signals_and_places_go_on_downwards(
    connection: Connection,
) -> None:
    connection.execute(insert(t.site).values(id="s", name="Nongsa", district=""))
    for name, heard_us, level in (
        ("n-1", 3_000_000, "crit"),
        ("n-2", 2_000_000, "ok"),
        ("n-3", 1_000_000, "crit"),
    ):
        node = {"id": name, "site": "s", "name": name, "state": "active", "online": True, "level": level}
        connection.execute(insert(t.node).values(**node, heard_us=heard_us))
    camera = {"name": "c", "node": "n-1", "status": "down"}
    for id, status_us in (("c-1", 4_000_000), ("c-0", 4_000_000), ("c-2", 9_000_000)):
        connection.execute(insert(t.camera).values(**camera, id=id, status_us=status_us))
    state = {
        "node": "n-2",
        "service": "modemb",
        "code": "modem",
        "level": "crit",
        "detail": "",
        "changed_us": 1,
    }
    connection.execute(insert(t.service_state).values(**state))
    rows = views.signals(connection).rows
    assert [row.id for row in rows] == ["n-2", "n-1", "n-3", "c-2", "c-0", "c-1"]
    assert [row.place for row in rows] == sorted(row.place for row in rows)
    assert [bool(getattr(row, "no_sms", False)) for row in rows] == [True, *[False] * 5]
