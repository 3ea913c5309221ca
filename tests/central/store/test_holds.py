"""Held footage stays in what its node is asked to keep, until a person lets it go."""

import json
import random

import pytest
from sqlalchemy import Connection

from siaga_central.domain import hold as life
from siaga_central.domain.hold import POLICY, IllegalHold
from siaga_central.domain.timeline import Anchor
from siaga_central.store import events, holds, incidents, timings, wants
from siaga_central.store.incidents import Opening
from siaga_central.store.writer import Store
from siaga_core.wire.recording import HOLDS_MOST, HoldState

NODE, CAMERA = "btm-017", "cam-a"
MIN = 60_000_000
BOOTED_US = 1_795_000_000_000_000


def place(store: Store, id: str, start_us: int = 10 * MIN, incident_id: str | None = None) -> None:
    store.write(
        lambda c: holds.place(c, id, CAMERA, start_us, start_us + 5 * MIN, "uji", "operator", 1, incident_id)
    )


def say(store: Store, id: str, state: str, node: str = NODE, end_us: int | None = None) -> bool:
    """The node speaks of the whole span as it stands, or (`end_us`) of one that ends earlier."""
    with store.read() as connection:
        row = holds.find(connection, id)
    span = (0, 0) if row is None or state != "held" else (row.start_us, end_us or row.end_us)
    said = HoldState(id=id, state=state, start_wall_ns=span[0] * 1000, end_wall_ns=span[1] * 1000)  # type: ignore[arg-type]
    return store.write(lambda c: holds.settle(c, node, said, 2))


def wished(store: Store) -> set[str]:
    """What the node is asked to keep now."""
    with store.read() as connection:
        row = wants.find(connection, NODE, "holds")
    return set() if row is None else {one["id"] for one in json.loads(row.body)["holds"]}


def state(store: Store, id: str) -> str:
    with store.read() as connection:
        row = holds.find(connection, id)
    assert row is not None
    return str(row.state)


def kinds(store: Store, subject: str) -> list[str]:
    with store.read() as connection:
        found = events.after(connection, 0, 10_000)
        return [str(row.kind) for row in found if row.subject == subject]


def alarms(store: Store) -> list[str]:
    with store.read() as connection:
        rows = connection.exec_driver_sql("SELECT code FROM service_state WHERE level = 'crit'")
        return [str(row[0]) for row in rows]


def test_a_hold_is_asked_confirmed_and_released_with_a_reason(store: Store) -> None:
    place(store, "h1")
    assert wished(store) == {"h1"}
    assert say(store, "h1", "waiting")
    assert say(store, "h1", "held")
    assert state(store, "h1") == "held"
    with pytest.raises(IllegalHold, match="say why"):
        store.write(lambda c: holds.release(c, "h1", "  ", "supervisor", 3))
    assert wished(store) == {"h1"}
    store.write(lambda c: holds.release(c, "h1", "putusan PPID", "supervisor", 3))
    assert wished(store) == set()
    assert kinds(store, "h1") == ["hold.asked", "hold.waiting", "hold.held", "hold.released"]
    assert [kind for kind in kinds(store, CAMERA) if "hold" in kind] == [
        "camera.hold_asked",
        "camera.hold_waiting",
        "camera.hold_held",
        "camera.hold_released",
    ]


def test_a_loss_alarms_and_the_node_goes_on_looking(store: Store) -> None:
    place(store, "h1")
    say(store, "h1", "held")
    say(store, "h1", "lost")
    assert alarms(store) == [f"hold-{CAMERA}"]
    assert wished(store) == {"h1"}
    say(store, "h1", "held")
    assert state(store, "h1") == "held"


def test_another_node_cannot_speak_of_a_hold(store: Store) -> None:
    place(store, "h1")
    assert not say(store, "h1", "lost", "gsm-001")
    assert not say(store, "h9", "held")
    assert state(store, "h1") == "asked"


@pytest.mark.parametrize(
    ("start_us", "end_us", "camera", "reason"),
    [(10, 10, CAMERA, "x"), (10, 5, CAMERA, "x"), (0, 13 * 60 * MIN, CAMERA, "x"), (0, MIN, "cam-z", "x")],
)
def test_a_hold_that_makes_no_sense_is_refused(
    store: Store, start_us: int, end_us: int, camera: str, reason: str
) -> None:
    with pytest.raises(IllegalHold):
        store.write(lambda c: holds.place(c, "h", camera, start_us, end_us, reason, "operator", 1))
    assert wished(store) == set()


def test_too_many_holds_are_refused_loudly_and_said_before(store: Store) -> None:
    def many(connection: Connection) -> None:
        for number in range(HOLDS_MOST):
            holds.place(connection, f"h{number:03d}", CAMERA, number * MIN, (number + 1) * MIN, "uji", "a", 1)

    store.write(many)
    assert alarms(store) == ["holds"]
    with pytest.raises(IllegalHold, match="release some"):
        place(store, "one-more")
    assert len(wished(store)) == HOLDS_MOST


def _keep(store: Store, since_us: int, told_us: int) -> None:
    """Retention has left footage from there on, as the node says at `told_us`."""

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("DELETE FROM kept")
        connection.exec_driver_sql(
            f"INSERT INTO kept VALUES ('{CAMERA}', 'b', 1, {(since_us - BOOTED_US) * 1000}, {told_us})"
        )

    store.write(work)


def _swept(store: Store, now_us: int) -> str:
    store.write(lambda c: holds.sweep(c, now_us))
    with store.read() as connection:
        row = holds.find(connection, "h1")
    assert row is not None
    return str(row.danger)


@pytest.fixture
def start_us(store: Store) -> int:
    """The start of a hold that was asked for long after the node had booted."""
    start_us = BOOTED_US + 5 * 24 * 60 * MIN
    place(store, "h1", start_us)
    booted = Anchor(1, 0, BOOTED_US * 1000, "hub", 1000)
    store.write(lambda c: timings.add_anchor(c, NODE, "b", booted, 1))
    return start_us


def test_an_unconfirmed_hold_is_said_before_retention_reaches_it(store: Store, start_us: int) -> None:
    now_us = start_us + 60 * MIN
    _keep(store, start_us - POLICY.warn_us - MIN, now_us)
    assert _swept(store, now_us) == ""
    _keep(store, start_us - POLICY.warn_us + MIN, now_us)
    assert _swept(store, now_us) == "warn"
    assert alarms(store) == [f"hold-{CAMERA}"]
    _keep(store, start_us - POLICY.crit_us + MIN, now_us)
    assert _swept(store, now_us) == "crit"
    say(store, "h1", "held")
    assert _swept(store, now_us) == ""
    assert kinds(store, "h1").count("hold.endangered") == 2


def test_a_node_that_is_away_is_taken_to_overwrite_as_it_always_did(store: Store, start_us: int) -> None:
    """It says nothing more, and its ring goes on: the alarm comes in time all the same."""
    told_us = start_us + 60 * MIN
    _keep(store, start_us - 2 * POLICY.warn_us, told_us)
    assert _swept(store, told_us + POLICY.warn_us - MIN) == ""
    assert _swept(store, told_us + POLICY.warn_us + MIN) == "warn"
    assert alarms(store) == [f"hold-{CAMERA}"]
    assert _swept(store, told_us + 2 * POLICY.warn_us - POLICY.crit_us + MIN) == "crit"
    assert kinds(store, CAMERA).count("camera.hold_endangered") == 2


def test_a_young_node_that_has_all_its_footage_raises_no_alarm_while_it_speaks(
    store: Store, start_us: int
) -> None:
    now_us = start_us + 60 * MIN
    first_ns = (start_us - 10 * MIN - BOOTED_US) * 1000
    store.write(
        lambda c: c.exec_driver_sql(
            "INSERT INTO stretch (camera, node, epoch, boot_id, boot_seq, start_ns, end_ns, told_seq)"
            f" VALUES ('{CAMERA}', '{NODE}', 'e', 'b', 1, {first_ns}, {first_ns + 10**12}, 1)"
        )
    )
    _keep(store, start_us - 10 * MIN, now_us)
    assert _swept(store, now_us + MIN) == ""
    assert _swept(store, now_us + 10 * MIN) == "crit"  # it is away: nobody knows how full its disk was


def test_holds_of_an_incident_end_long_after_it_was_closed_and_not_before(store: Store) -> None:
    store.write(lambda c: incidents.open_new(c, "i1", Opening("KBR", "P1", "sms", "api"), "hub", MIN))
    place(store, "h1", incident_id="i1")
    place(store, "h2")
    store.write(lambda c: incidents.move(c, "i1", "cancel", "operator", 2 * MIN, "salah"))
    store.write(lambda c: holds.sweep(c, 2 * MIN + POLICY.kept_after_closing_us))
    assert wished(store) == {"h1", "h2"}
    store.write(lambda c: holds.sweep(c, 3 * MIN + POLICY.kept_after_closing_us))
    assert wished(store) == {"h2"}
    assert kinds(store, "i1")[-1] == "hold.released"


def test_in_10000_random_words_and_deeds_no_hold_is_broken_silently() -> None:
    assert _broken_silently(life.TRANSITIONS) == ""


@pytest.mark.parametrize(
    "mutant",
    [
        {**life.TRANSITIONS, "held": {**life.TRANSITIONS["held"], "lost": "released"}},
        {**life.TRANSITIONS, "lost": {**life.TRANSITIONS["lost"], "waiting": "released"}},
        {**life.TRANSITIONS, "released": {"held": "held"}},
    ],
)
def test_a_table_that_lets_go_by_itself_is_caught(mutant: dict[str, dict[str, str]]) -> None:
    assert _broken_silently(mutant)


def _broken_silently(table: dict[str, dict[str, str]]) -> str:
    """What went wrong in one of many random lives: wanted until a person releases, and never after."""
    for seed in range(10_000):
        rng, now, let_go = random.Random(seed), "asked", False
        for _ in range(rng.randrange(1, 12)):
            word = rng.choice(["waiting", "held", "lost", "released", "release"])
            let_go = let_go or word == "release"
            now = table[now].get(word, now)
            if (now in life.WANTED) == let_go:
                return f"seed {seed}: {now} after {word}, released by a person: {let_go}"
    return ""
