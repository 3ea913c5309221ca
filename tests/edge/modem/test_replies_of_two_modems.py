"""A node with two modems: limits on replies hold for the node, though each service keeps its own journal."""

import contextlib
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from siaga_core.service.clock import SystemClock
from siaga_edge.modem import desk, template
from siaga_edge.modem.neighbour import Neighbour
from siaga_edge.uplink.delivery import Mark
from siaga_edge.uplink.ledger import Ledger
from support.front_desk import CITIZEN, OTHER, FrontDesk, two_desks
from support.modem_service import Service
from support.simulated_modem import simulated_modem
from support.waiting import until

REPORT, PLACE, BOUNCE, BACK_PLACED = (
    template.citizen(name) for name in ("report", "place", "bounce", "retraction_placed")
)
FIRE = "Tolong ada kebakaran besar"
Desks = tuple[FrontDesk, FrontDesk]


class Strange(Neighbour):
    """A mutant: each modem looks at its own journal alone."""

    def said(self, _number: str, _now: object) -> list[object]:  # type: ignore[override]
        return []


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    made = two_desks(tmp_path)
    yield made
    for one in made:
        one.end()


def pass_time(desks: Desks, seconds: float) -> None:
    for _ in range(max(1, round(seconds / 0.5))):
        desks[0].clock.advance(0.5)
        for one in desks:
            one.desk.tick()


def said(desks: Desks, number: str = CITIZEN) -> list[str]:
    return [text for one in desks for text in one.queued(number)]


def test_who_writes_to_both_modems_hears_one_answer_and_one_reminder(desks: Desks) -> None:
    for one in desks:
        one.text(FIRE)
    pass_time(desks, 299)
    assert said(desks) == [REPORT]
    pass_time(desks, 1400)
    assert sorted(said(desks)) == sorted([REPORT, PLACE])
    assert [len(one.bodies("report")) for one in desks] == [1, 1], "both are kept"


def test_who_writes_to_one_is_not_held_up_by_what_the_other_says_to_others(desks: Desks) -> None:
    desks[0].text(FIRE)
    desks[1].text(FIRE, OTHER)
    pass_time(desks, 2)
    assert (said(desks), said(desks, OTHER)) == ([REPORT], [REPORT])


def test_that_nobody_reads_is_said_by_one_of_them(desks: Desks) -> None:
    for one in desks:
        one.hub_takes_all = False
        one.text(FIRE)
    pass_time(desks, 900)
    assert said(desks) == [BOUNCE]


@pytest.mark.parametrize("first_acknowledged", [0, 1])
def test_a_bounce_is_taken_back_by_the_modem_whose_report_the_hub_has(
    desks: Desks, first_acknowledged: int
) -> None:
    for one in desks:
        one.hub_takes_all = False
    desks[0].text("Kebakaran besar di Nagoya depan Hotel Harmoni")
    pass_time(desks, 90)
    assert said(desks) == [BOUNCE]
    desks[1].text("tolong cepat pak")
    pass_time(desks, 1)
    desks[first_acknowledged].hub_takes_all = True
    pass_time(desks, 2)
    assert said(desks) == [BOUNCE, BACK_PLACED], "he gave a place, to whichever"
    for one in desks:
        one.hub_takes_all = True
    pass_time(desks, 1000)
    assert said(desks) == [BOUNCE, BACK_PLACED]


def test_what_the_hub_sent_through_the_other_modem_takes_a_bounce_back_too(desks: Desks) -> None:
    for one in desks:
        one.hub_takes_all = False
    desks[0].text(FIRE)
    pass_time(desks, 90)
    desks[1].text(FIRE)
    desks[1].order(CITIZEN, "112 BATAM: Laporan Anda sedang ditangani petugas.")
    desks[1].settled("112 BATAM: Laporan Anda sedang ditangani petugas.", "sent")
    for one in desks:
        one.hub_takes_all = True
    pass_time(desks, 100)
    assert len(said(desks)) == 2, "neither taken back nor a plain receipt"


def test_the_check_above_finds_modems_that_do_not_look_at_each_other(tmp_path: Path) -> None:
    desks = two_desks(tmp_path, Strange)
    for one in desks:
        one.text(FIRE)
    pass_time(desks, 2)
    assert said(desks) == [REPORT, REPORT]
    for one in desks:
        one.end()


def test_while_the_other_looks_and_answers_this_one_waits_and_hears_of_it(desks: Desks) -> None:
    for one in desks:
        one.text(FIRE)
    with Neighbour(Path("x"), desks[0].folder / "run" / "replies").turn() as is_ours:
        assert is_ours
        pass_time(desks, 5)
        assert said(desks) == [], "neither may answer what the other may be answering"
    pass_time(desks, 5)
    assert said(desks) == [REPORT]


@pytest.mark.parametrize("damage", ["missing", "no database", "without its tables"])
def test_a_journal_that_cannot_be_read_keeps_nobody_from_being_answered(tmp_path: Path, damage: str) -> None:
    other = tmp_path / "other.db"
    if damage == "no database":
        other.write_bytes(b"\xff" * 9000)
    elif damage == "without its tables":
        sqlite3.connect(other).close()
        other.touch()
    node = FrontDesk(tmp_path, partial(desk.Desk, neighbour=Neighbour(other, tmp_path / "run" / "replies")))
    node.text(FIRE)
    node.pass_time(2)
    assert node.queued() == [REPORT]
    node.end()


def test_where_no_lock_can_be_made_each_modem_answers_by_its_own_limits_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no folder").touch()
    beside = Neighbour(tmp_path / "other.db", tmp_path / "no folder" / "replies")
    node = FrontDesk(tmp_path, partial(desk.Desk, neighbour=beside))
    for number in (CITIZEN, OTHER):
        node.text(FIRE, number)
        node.pass_time(2)
        assert node.queued(number) == [REPORT]
    node.end()
    assert caplog.text.count("without taking turns") == 1


@pytest.mark.timeout(60)
def test_two_services_of_one_node_answer_a_citizen_once(tmp_path: Path) -> None:
    """Real processes, the two looking at the same moment: the hub takes both texts at once."""
    (tmp_path / "data").mkdir()
    (tmp_path / "second").mkdir()
    hub = Ledger(tmp_path / "data/delivery.db", SystemClock())
    numbers = [f"+62812777700{place:02d}" for place in range(5)]
    with simulated_modem(tmp_path) as modem, simulated_modem(tmp_path / "second") as beside:
        services = [Service(tmp_path, modem.link), Service(tmp_path, modem.link)]
        table = f'[modemb]\nport = "{beside.link}"\nsweep_every_s = 1\n'
        services[0].config.write_text(services[0].config.read_text() + table)
        try:
            services[0].start()
            services[1].start_second()
            for number in numbers:
                modem.control.sms(number, FIRE)
                beside.control.sms(number, FIRE)
            until(lambda: all(_rows(tmp_path, name, "record") >= 5 for name in ("modem", "modemb")), 30)
            streams = [Mark(f"{name}.urgent", _epoch(tmp_path, name), 10**9) for name in ("modem", "modemb")]
            hub.commit(streams)
            until(lambda: _rows(tmp_path, "modem", "said") + _rows(tmp_path, "modemb", "said") >= 5, 30)
            until(lambda: not _owed(tmp_path, "modem") and not _owed(tmp_path, "modemb"), 10)
        finally:
            for one in services:
                one.kill()
            hub.close()
    told = _numbers(tmp_path, "modem") + _numbers(tmp_path, "modemb")
    assert sorted(told) == numbers


def _read(folder: Path, service: str, query: str) -> list[str]:
    path = folder / "data" / f"journal-{service}.db"
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            return [str(row[0]) for row in connection.execute(query)]
        except sqlite3.OperationalError:  # only just being made
            return []


def _rows(folder: Path, service: str, table: str) -> int:
    return len(_read(folder, service, f"SELECT 1 FROM {table}"))


def _numbers(folder: Path, service: str) -> list[str]:
    return _read(folder, service, "SELECT number FROM said")


def _owed(folder: Path, service: str) -> bool:
    return bool(_read(folder, service, "SELECT 1 FROM talk WHERE state IN ('fresh', 'located')"))


def _epoch(folder: Path, service: str) -> str:
    return _read(folder, service, "SELECT value FROM meta WHERE key = 'epoch'")[0]
