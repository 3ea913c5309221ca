"""An incident holds what the cameras near it saw, by itself, once, and no more than the budget."""

from typing import Any

import pytest
from sqlalchemy import Connection

from siaga_central.domain import hold as life
from siaga_central.domain.hold import POLICY, IllegalHold
from siaga_central.domain.place import Spot
from siaga_central.store import clips, events, holds, incidents, nodes, policies
from siaga_central.store.incidents import Opening
from siaga_central.store.writer import Store
from siaga_core.wire.health import ServiceState
from siaga_core.wire.recording import HOLDS_MOST, HoldState

NODE, CAMERA = "btm-017", "cam-a"
MIN = 60_000_000
OPENED_US = 100 * MIN
HERE = Spot(1.1201, 104.0500, 50, "coordinates", "1.1201, 104.05")


def opened(store: Store, spot: Spot | None = HERE, priority: str = "P1", id: str = "i1") -> None:
    def work(connection: Connection) -> None:
        incidents.open_new(connection, id, Opening("KBR", priority, "sms", "api"), "hub", OPENED_US)
        if spot is not None:
            incidents.locate(connection, id, spot, "node:gsm-001", OPENED_US)

    store.write(work)


def hold(store: Store, now_us: int = OPENED_US, id: str = "i1") -> list[str]:
    return store.write(lambda c: holds.for_incident(c, id, "hub", now_us))


def held(store: Store, id: str = "i1") -> list[Any]:
    with store.read() as connection:
        return list(holds.of_incident(connection, id))


def kinds(store: Store, subject: str) -> list[str]:
    with store.read() as connection:
        return [str(row.kind) for row in events.of(connection, subject)]


def more_cameras(store: Store, count: int) -> None:
    """Each a hundred metres farther north than the last."""

    def work(connection: Connection) -> None:
        for number in range(count):
            north = 1.1201 + 0.0009 * (number + 1)
            nodes.add_camera(connection, f"cam-{number}", NODE, f"{number}", north, 104.05, "admin", 1)

    store.write(work)


def test_the_nearest_cameras_are_held_once_from_before_to_after(store: Store) -> None:
    more_cameras(store, 8)
    opened(store)
    assert hold(store) == [CAMERA, "cam-0", "cam-1"]
    assert hold(store) == [CAMERA, "cam-0", "cam-1"]
    rows = held(store)
    assert sorted(row.camera for row in rows) == ["cam-0", "cam-1", CAMERA]
    assert {(row.start_us, row.end_us) for row in rows} == {(OPENED_US - 2 * MIN, OPENED_US + 10 * MIN)}
    assert {row.cause for row in rows} == {"incident"}
    assert kinds(store, "i1").count("hold.asked") == 3


@pytest.mark.parametrize(
    ("spot", "priority", "some"),
    [
        (None, "P1", False),
        (HERE, "P2", True),
        (HERE, "P3", False),
        (Spot(1.1301, 104.05, 50, "coordinates"), "P1", False),  # 1.1 km from the camera
        (Spot(1.1301, 104.05, 800, "listed", "Mega Mall"), "P1", True),  # as far, but less certain
        (Spot(1.1201, 104.05, 5000, "listed", "Batam Kota"), "P1", False),  # any camera would do
    ],
)
def test_priority_and_certainty_of_the_place_decide(
    store: Store, spot: Spot | None, priority: str, some: bool
) -> None:
    opened(store, spot, priority)
    assert bool(hold(store)) == some
    assert bool(held(store)) == some


def test_it_is_held_as_soon_as_the_place_is_known(store: Store) -> None:
    opened(store, None)
    assert hold(store) == []
    store.write(lambda c: incidents.locate(c, "i1", HERE, "operator", OPENED_US + 30 * MIN))
    assert hold(store, OPENED_US + 30 * MIN) == [CAMERA]
    [row] = held(store)
    assert row.start_us == OPENED_US - 2 * MIN


def report(store: Store, id: str, received_us: int) -> None:
    store.write(
        lambda c: c.exec_driver_sql(
            "INSERT INTO report (id, incident, node, revision, source, arrived_us, received_us, body)"
            " VALUES (?, 'i1', 'gsm-001', 1, 'sms', ?, ?, '{}')",
            (id, received_us, received_us),
        )
    )


def test_a_second_report_makes_it_longer_and_the_node_has_to_confirm_anew(store: Store) -> None:
    opened(store)
    report(store, "r1", OPENED_US)
    hold(store)
    [row] = held(store)
    report(store, "r0", OPENED_US - 1)
    hold(store)
    [row] = held(store)
    assert (row.start_us, row.end_us) == (OPENED_US - 4 * MIN - 1, OPENED_US + 10 * MIN)
    early = HoldState(
        id=row.id, state="held", start_wall_ns=row.start_us * 1000, end_wall_ns=row.end_us * 1000
    )
    store.write(lambda c: holds.settle(c, NODE, early, 2))
    assert held(store)[0].state == "held"
    report(store, "r2", OPENED_US + 8 * MIN)
    hold(store, OPENED_US + 8 * MIN)
    [row] = held(store)
    assert (row.start_us, row.end_us, row.state) == (OPENED_US - 4 * MIN - 1, OPENED_US + 20 * MIN, "asked")
    store.write(lambda c: holds.settle(c, NODE, early, 3))  # was on its way
    assert held(store)[0].state == "asked"
    gap = ((OPENED_US + 12 * MIN) * 1000, row.end_us * 1000)
    late = HoldState(
        id=row.id,
        state="held",
        start_wall_ns=row.start_us * 1000,
        end_wall_ns=(OPENED_US + 12 * MIN) * 1000,
        missing=(gap,),
    )
    store.write(lambda c: holds.settle(c, NODE, late, 4))
    assert held(store)[0].state == "held"
    assert kinds(store, "i1").count("hold.extended") == 2


def test_what_a_person_let_go_of_is_not_held_again(store: Store) -> None:
    opened(store)
    hold(store)
    store.write(lambda c: holds.release(c, held(store)[0].id, "salah tempat", "supervisor", OPENED_US))
    hold(store, OPENED_US + MIN)
    assert [row.state for row in held(store)] == ["released"]


def test_an_incident_that_was_none_lets_go_early_and_comes_back_when_it_is_reopened(store: Store) -> None:
    opened(store)
    hold(store)
    gone_us = OPENED_US + MIN
    store.write(lambda c: incidents.move(c, "i1", "dismiss", "operator", gone_us, "iseng"))
    store.write(lambda c: holds.sweep(c, gone_us + POLICY.kept_after_dismissal_us))
    assert [row.state for row in held(store)] == ["asked"]
    late_us = gone_us + POLICY.kept_after_dismissal_us + 1
    store.write(lambda c: holds.sweep(c, late_us))
    assert [row.state for row in held(store)] == ["released"]
    assert kinds(store, "i1")[-1] == "hold.released"
    store.write(lambda c: incidents.move(c, "i1", "reopen", "operator", late_us, "ternyata benar"))
    hold(store, late_us)
    assert [row.state for row in held(store)] == ["released", "asked"]


def test_it_never_takes_more_than_the_budget_and_says_so_once(store: Store) -> None:
    full = HOLDS_MOST * POLICY.by_itself_percent // 100

    def fill(connection: Connection) -> None:
        for number in range(full):
            holds.place(connection, f"h{number}", CAMERA, number * MIN, (number + 1) * MIN, "uji", "a", 1)

    store.write(fill)
    opened(store)
    hold(store)
    hold(store)
    assert held(store) == []
    assert kinds(store, "i1").count("hold.not_placed") == 1
    store.write(lambda c: holds.place(c, "by-hand", CAMERA, MIN, 2 * MIN, "penting", "operator", 1, "i1"))
    assert [row.id for row in held(store)] == ["by-hand"]


def test_a_node_whose_disk_is_full_of_held_footage_is_not_asked_for_more(store: Store) -> None:
    full = ServiceState(service="recorder", level="crit", code="footage.held", detail="41 %")
    store.write(lambda c: nodes.service(c, NODE, full, 1))
    opened(store)
    hold(store)
    assert held(store) == []


def test_a_clip_holds_its_span_until_some_time_after_it_is_here(store: Store) -> None:
    store.write(lambda c: clips.ask(c, "c1", CAMERA, MIN, 2 * MIN, None, "api", "operator", 200 * MIN))
    with store.read() as connection:
        row = holds.find(connection, "c1")
    assert row is not None
    assert (row.cause, row.start_us, row.end_us, row.until_us) == ("clip", MIN, 2 * MIN, None)
    store.write(lambda c: holds.sweep(c, 10**15))  # however long it takes
    store.write(lambda c: clips.ready(c, "c1", "00", 1, 300 * MIN))
    over_us = 300 * MIN + POLICY.kept_after_clip_us
    for now_us, state in ((over_us - 1, "asked"), (over_us, "released")):
        store.write(lambda c, now_us=now_us: holds.sweep(c, now_us))  # type: ignore[misc]
        with store.read() as connection:
            assert holds.find(connection, "c1").state == state  # type: ignore[union-attr]


def test_a_clip_without_room_for_its_hold_is_asked_for_all_the_same(store: Store) -> None:
    full = ServiceState(service="recorder", level="crit", code="footage.held", detail="41 %")
    store.write(lambda c: nodes.service(c, NODE, full, 1))
    store.write(lambda c: clips.ask(c, "c1", CAMERA, MIN, 2 * MIN, None, "api", "operator", 200 * MIN))
    assert kinds(store, "c1") == ["clip.asked", "command.queued", "hold.not_placed"]


def test_policy_is_versioned_and_what_was_decided_before_stays_known(store: Store) -> None:
    opened(store)
    hold(store)
    assert held(store)[0].policy_version == 0
    number = store.write(
        lambda c: policies.set_holds(c, {"after_us": 30 * MIN}, OPENED_US + MIN, "admin", OPENED_US)
    )
    with store.read() as connection:
        assert policies.holds(connection, OPENED_US) == (0, POLICY)
        assert policies.holds(connection, OPENED_US + MIN)[1].after_us == 30 * MIN
    opened(store, id="i2")
    hold(store, OPENED_US + 2 * MIN, "i2")
    [row] = held(store, "i2")
    assert (row.policy_version, row.end_us) == (number, OPENED_US + 30 * MIN)


@pytest.mark.parametrize(
    "values", [{"after_us": -1}, {"longest_us": 10**12}, {"cameras": 99}, {"nothing": 1}, {"warn_us": "soon"}]
)
def test_a_policy_that_nobody_can_mean_is_refused(store: Store, values: dict[str, object]) -> None:
    with pytest.raises(IllegalHold):
        store.write(lambda c: policies.set_holds(c, values, 1, "admin", 1))


def test_a_span_that_grows_never_gives_anything_up() -> None:
    hour = 60 * MIN
    old = (0, hour)
    assert life.widened(old, (-MIN, 2 * MIN), POLICY) == (-MIN, hour)
    for new in ((-20 * hour, 30 * hour), (-20 * hour, MIN), (MIN, 30 * hour)):
        start_us, end_us = life.widened(old, new, POLICY)
        assert start_us <= 0 < hour <= end_us
        assert end_us - start_us <= POLICY.longest_us
