"""`siaga-central roster`: times and limits of a node by itself, a reason for who goes, all of it shown."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from siaga_central.authority.authority import Authority
from siaga_central.cli.__main__ import parser
from siaga_central.cli.ledger import Office
from siaga_central.cli.orders import carry_out
from siaga_central.hub import Base, City, HubConfig
from siaga_central.store import events, wants
from siaga_central.store.policies import BadPolicy, node_bounds
from siaga_core.wire.roster import SHIPPED
from support.desk_hub import OTHER, DeskHub


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


@pytest.fixture
def office(hub: DeskHub, tmp_path: Path) -> Office:
    config = HubConfig(hub=Base(data_dir=tmp_path), city=City(instead="110 polisi"))
    authority = Authority.create(tmp_path / "authority", "Uji", datetime.now(UTC))
    return Office(config, hub.store, authority, hub.clock, lambda: None)


def test_times_are_decided_one_by_one_and_reach_the_nodes_at_once(office: Office, hub: DeskHub) -> None:
    assert carry_out(office, "roster policy", {"values": {"away_after_s": 30}}) == {"nodes": ["gsm-1"]}
    hub.clock.advance(1)
    carry_out(office, "roster policy", {"values": {"next_phone_s": 90}})
    shown = carry_out(office, "roster show", {})
    known = msgspec.to_builtins(SHIPPED)
    assert shown["policy"] == known | {"away_after_s": 30, "next_phone_s": 90}
    assert shown["instead"] == "110 polisi"
    with hub.store.read() as connection:
        row = wants.find(connection, "gsm-1", "roster")
        said = [one.kind for one in events.of(connection, "roster")]
    assert row is not None
    assert msgspec.json.decode(row.body)["policy"] == shown["policy"]
    assert said.count("policy.set") == 2


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"away_after_s": 14}, "away_after_s must be a whole number from 15 to 300"),
        ({"away_after_s": "x"}, "away_after_s must be a whole number from 15 to 300"),
        ({"between_replies_s": 10}, "between_replies_s must be a whole number from 300 to 3600"),
        ({"siren": 1}, "no policy value: siren; there are away_after_s, "),
    ],
)
def test_a_value_that_cannot_be_says_what_could(
    office: Office, hub: DeskHub, values: dict[str, object], why: str
) -> None:
    with pytest.raises(BadPolicy, match=why):
        carry_out(office, "roster policy", {"values": values})
    with hub.store.read() as connection:
        assert wants.find(connection, "gsm-1", "roster") is None


def test_every_value_has_bounds_and_what_ships_is_within_them() -> None:
    shipped = msgspec.to_builtins(SHIPPED)
    assert node_bounds().keys() == shipped.keys()
    assert all(least <= shipped[name] <= most for name, (least, most) in node_bounds().items())


def test_why_a_phone_goes_is_on_record(office: Office, hub: DeskHub) -> None:
    carry_out(office, "roster phone-add", {"number": OTHER, "name": "Regu B"})
    carry_out(office, "roster phone-remove", {"number": OTHER, "reason": "HP hilang"})
    with hub.store.read() as connection:
        body = events.of(connection, "roster")[-1].body
    assert "HP hilang" in body
    assert OTHER not in body, "masked"


def test_the_command_line_takes_values_as_they_are_written() -> None:
    args = parser().parse_args(["roster", "policy", "away_after_s=30", "replies_an_hour=1"])
    assert dict(args.values) == {"away_after_s": 30, "replies_an_hour": 1}
