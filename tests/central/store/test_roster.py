"""The roster at the hub: versioned, converging, refused when it is none."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from siaga_central.store import roster, wants
from siaga_core.wire.roster import decode_roster
from siaga_core.wire.want import WantState
from support.desk_hub import GATEWAY, OTHER, TEAM, DeskHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


def publish(hub: DeskHub) -> list[str]:
    return hub.store.write(lambda c: roster.publish(c, "110 polisi", "admin", hub.now_us))


def version(hub: DeskHub) -> int:
    with hub.store.read() as connection:
        row = wants.find(connection, "gsm-1", "roster")
    assert row is not None
    return int(row.version)


def test_a_change_is_a_new_version_for_every_node_with_a_modem_and_no_change_is_none(hub: DeskHub) -> None:
    assert publish(hub) == ["gsm-1"]
    publish(hub)
    assert version(hub) == 1
    hub.store.write(lambda c: roster.add_phone(c, OTHER, "Regu B", "admin", hub.now_us))
    publish(hub)
    assert version(hub) == 2
    with hub.store.read() as connection:
        (wish,) = [one for one in wants.all_of_them(connection) if one.name == "roster"]
    given = decode_roster(bytes(wish.body))
    assert [phone.number for phone in given.duty] == [TEAM, OTHER]
    assert given.instead == "110 polisi"
    hub.take(hub.record(WantState(name="roster", version=2, state="applied"), "want.state"))
    with hub.store.read() as connection:
        (row,) = roster.convergence(connection)
    assert (row.node_version, row.node_state) == (2, "applied")


@pytest.mark.parametrize(("number", "name"), [("08123456789", "x"), ("+62", "x"), ("112", "x"), (TEAM, "")])
def test_what_nobody_could_be_texted_by_is_refused(hub: DeskHub, number: str, name: str) -> None:
    with pytest.raises(roster.BadRoster):
        hub.store.write(lambda c: roster.add_phone(c, number, name, "admin", hub.now_us))


def test_who_is_not_there_cannot_be_taken_away(hub: DeskHub) -> None:
    with pytest.raises(roster.BadRoster):
        hub.store.write(lambda c: roster.remove_phone(c, OTHER, "admin", hub.now_us))
    with pytest.raises(roster.BadRoster):
        hub.store.write(lambda c: roster.set_modem(c, "nobody", TEAM, True, "admin", hub.now_us))
    hub.store.write(lambda c: roster.remove_phone(c, TEAM, "admin", hub.now_us))
    publish(hub)
    with hub.store.read() as connection:
        row = wants.find(connection, "gsm-1", "roster")
    assert row is not None
    assert msgspec.json.decode(row.body)["duty"] == []


def test_a_modem_of_ours_is_no_phone_on_duty_and_a_phone_no_modem(hub: DeskHub) -> None:
    """It would answer the alert itself, and nobody would be told."""
    with pytest.raises(roster.BadRoster, match="one of our own modems"):
        hub.store.write(lambda c: roster.add_phone(c, GATEWAY, "Regu B", "admin", hub.now_us))
    with pytest.raises(roster.BadRoster, match="is a phone on duty"):
        hub.store.write(lambda c: roster.set_modem(c, "gsm-1", TEAM, True, "admin", hub.now_us))
    with hub.store.read() as connection:
        assert [row.number for row in roster.phones(connection)] == [TEAM]
        assert [row.number for row in roster.modems(connection)] == [GATEWAY]


def test_both_modems_of_a_node_are_ours_and_a_sim_that_moves_is_of_one(hub: DeskHub) -> None:
    """A second number that replaced the first would leave a modem of ours that our nodes answer for ever."""
    second = "+628222000222"
    hub.store.write(lambda c: roster.set_modem(c, "gsm-1", second, True, "admin", hub.now_us, "modemb"))
    assert publish(hub) == ["gsm-1"], "one node, one roster"
    with hub.store.read() as connection:
        (wish,) = [one for one in wants.all_of_them(connection) if one.name == "roster"]
    assert [one.number for one in decode_roster(bytes(wish.body)).gateways] == [GATEWAY, second]
    hub.store.write(lambda c: roster.set_modem(c, "gsm-1", second, True, "admin", hub.now_us))
    with hub.store.read() as connection:
        assert [(row.service, row.number) for row in roster.modems(connection)] == [("modem", second)]
