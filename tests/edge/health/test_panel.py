"""Rules, lamp and pins, without a process."""

from pathlib import Path

import pytest

from siaga_edge.health import panel, rules
from siaga_edge.health.board import PinTaken, load
from siaga_edge.health.gpio import Panel
from siaga_edge.health.panel import Shown

BOARDS = Path(__file__).parents[3] / "firmware-config/boards"


def test_a_hot_node_stays_bad_until_it_has_cooled_by_the_margin() -> None:
    assert rules.judge("temperature_c", 70, "ok").level == "warn"
    assert rules.judge("temperature_c", 68, "warn").level == "warn"
    assert rules.judge("temperature_c", 68, "ok").level == "ok"
    assert rules.judge("temperature_c", 66, "warn").level == "ok"


def test_the_node_is_as_bad_as_its_worst_reading() -> None:
    assert rules.worst(["ok", "crit", "warn"]) == "crit"
    assert rules.judge("disk_free_percent.data", None, "ok").level == "unknown"


def test_a_siren_ends_by_itself_at_its_limit() -> None:
    siren = panel.order("one", 5000, 0)
    assert panel.show("ok", link=True, siren=siren, now_mono_s=599.9).siren
    assert not panel.show("ok", link=True, siren=siren, now_mono_s=600).siren
    assert panel.order("two", 0, 0) is None


def test_a_service_may_ask_for_the_siren_while_its_lease_lasts() -> None:
    for until_s, sounds in ((0.0, False), (99.0, False), (115.0, True), (9_999.0, False)):
        shown = panel.show("ok", link=True, siren=None, now_mono_s=100, asked_until_mono_s=until_s)
        assert shown == Shown("red" if sounds else "green", sounds), until_s


def test_the_lamp_tells_level_and_link() -> None:
    assert panel.show("ok", link=True, siren=None, now_mono_s=0).lamp == "green"
    assert panel.show("ok", link=False, siren=None, now_mono_s=0).lamp == "amber"
    assert panel.show("crit", link=True, siren=None, now_mono_s=0).lamp == "red"


def test_the_panel_drives_the_boards_pins_and_closing_lets_go() -> None:
    board = load("pi4", BOARDS)
    wired = Panel(board, "mock")
    pins = {role: wired.factory.pin(board.pins[role].bcm) for role in ("lamp_red", "lamp_green", "siren")}
    assert not pins["siren"].state
    wired.show(Shown("red", siren=True))
    assert (pins["lamp_red"].state, pins["lamp_green"].state, pins["siren"].state) == (True, False, True)
    wired.show(Shown("amber", siren=False))
    assert (pins["lamp_red"].state, pins["lamp_green"].state, pins["siren"].state) == (True, True, False)
    wired.close()
    assert pins["siren"].function == "input"


def test_two_roles_on_one_pin_are_refused(tmp_path: Path) -> None:
    board = load("pi4", BOARDS)
    taken = f"bcm = {board.pins['lamp_red'].bcm}"
    text = (BOARDS / "pi4.toml").read_text().replace(f"bcm = {board.pins['siren'].bcm}", taken)
    (tmp_path / "odd.toml").write_text(text)
    with pytest.raises(PinTaken, match="are both on BCM"):
        load("odd", tmp_path)
