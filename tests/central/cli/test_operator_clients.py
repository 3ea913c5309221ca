"""Orders about operators' own clients, on a store and a password file as they are."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from siaga_central.authority.authority import Authority
from siaga_central.bus import broker
from siaga_central.cli.ledger import Answer, Office, Refused
from siaga_central.cli.orders import carry_out
from siaga_central.hub import Base, HubConfig
from siaga_central.store import clients, users
from siaga_central.store.writer import Store
from siaga_core.errors import SiagaError
from support.clock import FakeClock


class Desk:
    """An office whose broker only notes what it is told."""

    def __init__(self, folder: Path, store: Store, clock: FakeClock, authority: Authority) -> None:
        config = HubConfig(hub=Base(data_dir=folder / "data"))
        self.told: list[str] = []
        self.store, self.folder = store, config.broker_dir
        self.folder.mkdir(parents=True)
        (self.folder / "operators.passwd").write_text("")
        self._office = Office(config, store, authority, clock, lambda: self.told.append("reload"), self._cut)

    def _cut(self, name: str) -> None:
        self.told.append(f"cut {name}")

    def order(self, order: str, **keys: str) -> Answer:
        return carry_out(self._office, order, keys)

    def names(self) -> list[str]:
        lines = (self.folder / "operators.passwd").read_text().splitlines()
        return [line.partition(":")[0] for line in lines]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.create(tmp_path_factory.mktemp("authority"), "Uji", datetime.now(UTC))


@pytest.fixture
def desk(tmp_path: Path, store: Store, clock: FakeClock, authority: Authority) -> Desk:
    for name in ("rina", "budi-tetap"):
        store.write(lambda c, name=name: users.add(c, name, name, "operator", "-", "admin", 1))  # type: ignore[misc]
    return Desk(tmp_path, store, clock, authority)


def test_a_client_gets_a_password_once_and_a_line_to_paste(desk: Desk) -> None:
    made = desk.order("operator-client add", name="rina-phone")
    assert len(made["password"]) == 23
    assert f"-u rina-phone -P '{made['password']}'" in made["listen"]
    assert made["password"] not in (desk.folder / "operators.passwd").read_text()
    listed = desk.order("operator-client list")["clients"]
    assert [(one["client"], one["user"], one["role"]) for one in listed] == [
        ("rina-phone", "rina", "operator")
    ]
    assert made["password"] not in str(listed)
    assert desk.told == ["reload"]


def test_a_password_of_ones_own_is_not_said_again(desk: Desk) -> None:
    made = desk.order("operator-client add", name="rina-phone", password="sangat-rahasia")
    assert "password" not in made
    assert "sangat-rahasia" not in str(made)
    with pytest.raises(Refused, match="at least"):
        desk.order("operator-client add", name="rina-desk", password="pendek")


def test_a_client_that_is_added_again_gets_another_password(desk: Desk) -> None:
    first, second = (desk.order("operator-client add", name="rina-phone") for _ in range(2))
    assert first["password"] != second["password"]
    assert desk.names() == ["rina-phone"]


def test_a_removed_client_is_gone_everywhere_and_cut_off(desk: Desk) -> None:
    desk.order("operator-client add", name="rina-phone")
    desk.order("operator-client add", name="rina-siren")
    desk.order("operator-client remove", name="rina-phone")
    assert desk.names() == ["rina-siren"]
    assert desk.told[-2:] == ["reload", "cut rina-phone"]
    with desk.store.read() as connection:
        assert clients.account_of(connection, "rina-phone") is None
    with pytest.raises(Refused, match="there is no client"):
        desk.order("operator-client remove", name="rina-phone")


def test_an_account_that_is_closed_takes_its_clients_with_it(desk: Desk) -> None:
    for name in ("rina-phone", "rina-siren"):
        desk.order("operator-client add", name=name)
    desk.order("operator-client add", name="loket-1", user="budi-tetap")
    assert desk.order("user disable", name="rina")["clients_removed"] == ["rina-phone", "rina-siren"]
    assert desk.names() == ["loket-1"]
    assert {"cut rina-phone", "cut rina-siren"} < set(desk.told)
    with pytest.raises(Refused, match="closed"):
        desk.order("operator-client add", name="rina-phone")


@pytest.mark.parametrize(
    "name", ["hub", "cutter", "all", "rina/+", "rina#", "Rina-Phone", "rina-phone\n", ""]
)
def test_a_name_that_would_mean_something_else_to_the_broker_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(SiagaError):
        desk.order("operator-client add", name=name, user="rina")
    assert desk.names() == []


def test_nobody_gets_the_name_of_a_node_and_no_node_that_of_a_client(desk: Desk) -> None:
    with pytest.raises(Refused, match="is a node"):
        desk.order("operator-client add", name="btm-017", user="rina")
    desk.order("operator-client add", name="rina-phone")
    with pytest.raises(Refused, match="operator's client"):
        desk.order("node invite", node="rina-phone", site="BTM-017", name="x")


def test_a_client_does_not_change_hands(desk: Desk) -> None:
    desk.order("operator-client add", name="rina-phone")
    with pytest.raises(Refused, match="belongs to rina"):
        desk.order("operator-client add", name="rina-phone", user="budi-tetap")
    with pytest.raises(Refused, match="no account"):
        desk.order("operator-client add", name="siti-phone")


def test_the_file_and_the_registry_name_the_same_clients(desk: Desk) -> None:
    desk.order("operator-client add", name="rina-phone")
    assert broker.has_operator(desk.folder, "rina-phone")
    assert not broker.has_operator(desk.folder, "rina-phon")
