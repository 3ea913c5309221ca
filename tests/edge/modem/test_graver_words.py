"""An alarm that is out becomes as grave as what the same citizen writes next; who was texted hears of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from siaga_core.reading.text import read
from siaga_core.wire.gsm7 import SINGLE_SEPTETS, septets
from siaga_core.wire.roster import DutyPhone
from siaga_edge.cli import alone
from siaga_edge.modem import desk, duty, gravity, template
from siaga_edge.node import Hub, Node, NodeConfig
from support.front_desk import FIRST, OTHER, ROSTER, SECOND, FrontDesk, away

LEANS = "pohon condong"
FELL = "pohonnya roboh menimpa motor, pengendara tidak bergerak, darah banyak"
FIRE_AT = "Kebakaran besar di Nagoya depan Hotel Harmoni"


@pytest.fixture
def node(tmp_path: Path) -> Iterator[FrontDesk]:
    made = away(tmp_path)
    yield made
    made.end()


def config(folder: Path) -> NodeConfig:
    hub = Hub(broker_host="x", gateway_url="x", ca_file=folder, certificate_file=folder, key_file=folder)
    return NodeConfig(node=Node(id="gsm-001", site="x", data_dir=folder, run_dir=folder / "run"), hub=hub)


def code(node: FrontDesk) -> str:
    return str(node.bodies("duty")[0]["code"])


def priority(node: FrontDesk) -> str:
    return str(node.journal.connection.execute("SELECT priority FROM alarm").fetchone()[0])


def test_worse_words_reach_the_phone_that_was_texted_and_the_next_one(node: FrontDesk) -> None:
    node.text(LEANS)
    node.pass_time(25)
    assert "P2 PHN: pohon condong" in node.queued(FIRST.number)[0]
    node.text(FELL)
    node.pass_time(2)
    assert len(node.queued(FIRST.number)) == 2
    again = node.queued(FIRST.number)[1]
    assert again.startswith(f"SIAGA {code(node)} KINI P1 LKA: {FELL[:40]}")
    assert priority(node) == "P1"
    node.restart()
    node.pass_time(60)
    (second,) = node.queued(SECOND.number)
    assert f"{code(node)} P1 LKA: pohonnya roboh" in second
    assert len(node.queued(FIRST.number)) == 2, "once"
    for text in (*node.queued(FIRST.number), second):
        assert (septets(f"(ulang) {text}") or 999) <= SINGLE_SEPTETS
        assert text.endswith(f"TERIMA {code(node)}")
    rows = node.journal.connection.execute(
        "SELECT DISTINCT at_least_once FROM outgoing WHERE text LIKE '%Pusat putus%'"
    )
    assert [row[0] for row in rows] == [1]
    assert [one.phones for one in alone.out(config(node.folder), "modem")] == [["Regu A", "Regu B"]], (
        "each once"
    )


class Deaf(duty.Duty):
    """A mutant: what is written after the first text changes nothing."""

    def _rise(self, row: Any, _texts: Any, _now: Any) -> Any:
        return row


def test_the_check_above_finds_a_desk_that_heeds_the_first_text_alone(tmp_path: Path) -> None:
    def make(*given: Any) -> desk.Desk:
        made = desk.Desk(*given)
        made.duty = Deaf(given[0], given[4])
        return made

    node = away(tmp_path, make)
    node.text(LEANS)
    node.pass_time(25)
    node.text(FELL)
    node.pass_time(2)
    assert len(node.queued(FIRST.number)) == 1
    node.end()


def test_a_quiet_alarm_that_becomes_pressing_sounds_however_old_it_is(node: FrontDesk) -> None:
    node.text("Promo pulsa murah, ketik YA")
    node.pass_time(700)
    assert not node.sounds()
    node.text(FIRE_AT)
    node.pass_time(2)
    assert node.sounds()
    assert node.deeds() == ["sounded", "told"]
    assert " P1 KBR: Kebakaran" in node.queued(FIRST.number)[0]
    assert "KINI" not in node.queued(FIRST.number)[0], "it is the first that this phone hears"


def test_a_team_on_its_way_hears_and_its_answer_stands(node: FrontDesk) -> None:
    node.text(LEANS)
    node.pass_time(25)
    node.text(f"OTW {code(node)}", FIRST.number)
    node.pass_time(2)
    node.text(FELL)
    node.pass_time(120)
    assert "KINI P1" in node.queued(FIRST.number)[1]
    assert node.queued(SECOND.number) == []
    assert not node.sounds()
    node.text("SELESAI", FIRST.number)
    node.text("Kebakaran juga, korban banyak")
    node.pass_time(60)
    assert len(node.queued(FIRST.number)) == 2, "it is done"
    node.hub_takes_all = True
    node.pass_time(60)
    assert node.queued(FIRST.number)[2:] == [template.back([code(node)])], "one text"


def test_another_kind_as_pressing_is_told_once_and_what_is_less_is_not(node: FrontDesk) -> None:
    node.text(FIRE_AT)
    node.pass_time(25)
    for text in ("ada 3 korban luka parah", "korban luka lagi", LEANS, "tolong cepat pak", FIRE_AT):
        node.text(text)
        node.pass_time(3)
    texts = node.queued(FIRST.number)
    assert len(texts) == 2
    assert "KINI P1 AMB: ada 3 korban luka parah" in texts[1]


def test_the_next_phone_reads_the_newest_words_and_the_place(node: FrontDesk) -> None:
    node.text(FIRE_AT)
    node.pass_time(25)
    node.text("dekat pasar")
    node.pass_time(60)
    assert node.queued(FIRST.number)[1:] == []
    (text,) = node.queued(SECOND.number)
    assert f"KBR: {FIRE_AT} / dekat pasar dr" in text


def test_what_others_write_or_a_team_answers_raises_nothing(node: FrontDesk) -> None:
    node.text(LEANS)
    node.pass_time(25)
    node.text(FELL, OTHER)
    node.text(f"TERIMA {code(node)}, korban tidak bergerak, darah banyak", FIRST.number)
    node.pass_time(5)
    rows = node.journal.connection.execute("SELECT priority FROM alarm ORDER BY wall_ns")
    assert next(row[0] for row in rows) == "P2"
    assert not any("KINI" in text for text in node.queued())


def test_rises_are_told_within_the_minutes_budget(node: FrontDesk) -> None:
    many = [DutyPhone(name=f"Regu {place}", number=f"+62811100000{place}") for place in range(7)]
    node.roster(structs.replace(ROSTER, duty=many), version=2)
    node.text(LEANS)
    node.pass_time(20 + 61 * 8)
    node.text(FELL)
    node.pass_time(30)
    sent = [text for text in node.queued() if "Pusat putus" in text]
    assert len(sent) == 7 + duty.TEXTS_A_MINUTE
    node.pass_time(90)
    assert sum("KINI" in text for text in node.queued()) == 7, "all of them, once each"


def test_what_is_graver_goes_by_priority_and_kind() -> None:
    assert read(FELL).priority < read(LEANS).priority
    assert gravity.graver("P2", ["PHN"], [LEANS, FELL]) == FELL
    assert gravity.graver("P1", ["PHN", "LKA"], [LEANS, FELL]) is None
    assert gravity.graver("P1", ["KBR"], [FIRE_AT, "dekat pasar", LEANS]) is None
    assert gravity.graver("P2", ["PHN"], [LEANS, FELL, FIRE_AT]) == FIRE_AT, "the newest of the gravest"
    assert gravity.graver("P2", [""], [LEANS]) == LEANS, "after a call: now he says what it is"


def test_words_are_the_gravest_then_a_place_then_the_newest() -> None:
    assert gravity.words(LEANS, [LEANS, LEANS, LEANS]) == LEANS
    assert gravity.words(FELL, [LEANS, FELL]) == f"{FELL} / {LEANS}"
    placed = gravity.words(FELL, ["pohon condong di Nagoya", FELL])
    assert "Nagoya" in placed[: gravity.ROOM]
    newest = gravity.words(FIRE_AT + " " + "api " * 30, [FIRE_AT + " " + "api " * 30, "anak di lantai dua"])
    assert "anak di lantai dua" in newest[: gravity.ROOM]
    assert gravity.words("Kebakaran besar di", [FIRE_AT]) == FIRE_AT, "the rest of it has come"
    assert gravity.words("panggilan tak terjawab", ["tolong"]) == "panggilan tak terjawab / tolong"
