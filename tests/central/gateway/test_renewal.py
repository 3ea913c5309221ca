"""A node that lay in storage, or has no clock, comes back by itself; nobody else does."""

import queue
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509

from siaga_central.authority.authority import Authority
from siaga_central.authority.certificates import key_pem, new_key
from siaga_central.gateway.app import create_app
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.store import certificates, nodes
from siaga_central.store.writer import Store
from siaga_core.service.clock import SystemClock, read_boot_id, read_floor_ns
from siaga_core.wire.anchor import ClockAnchor
from siaga_edge import enrolment
from siaga_edge.enrolment import ClaimFailed, HubTime
from siaga_edge.node import Hub, Node, NodeConfig
from siaga_edge.uplink.renewal import HUB_ERROR_MS, Renewal, anchor_of
from support.clock import FakeClock
from support.hub import running
from support.waiting import free_port, until

NOW = datetime.now(UTC)
NODE = "btm-017"


@dataclass
class Site:
    """A node's files and the hub's parts it meets."""

    config: NodeConfig
    authority: Authority
    store: Store

    def certificate(self, made: datetime, *, known: bool = True, authority: Authority | None = None) -> str:
        """Give the node a certificate made at some time; its serial."""
        key = new_key()
        issued = (authority or self.authority).issue_node(NODE, key.public_key(), made)
        self.config.hub.certificate_file.write_text(issued.certificate_pem + issued.chain_pem)
        self.config.hub.key_file.write_bytes(key_pem(key))
        if known:
            row = (issued.serial, NODE, issued.certificate_pem, "", 2**60, 1)
            self.store.write(lambda connection: certificates.add(connection, *row))
        return issued.serial

    def until(self) -> datetime:
        """When the node's certificate expires."""
        pem = self.config.hub.certificate_file.read_bytes()
        return x509.load_pem_x509_certificate(pem).not_valid_after_utc


def make_site(folder: Path, store: Store, clock: FakeClock, served: datetime) -> Iterator[Site]:
    """A gateway whose own certificate was made at `served`."""
    clock.jump_wall(NOW.timestamp() - clock.wall_ns() / 1e9)
    authority, port = Authority.create(folder / "authority", "Uji", NOW - timedelta(days=300)), free_port()
    chain, key = authority.own("server", served, ["127.0.0.1"])
    app = create_app(store, authority, folder / "media", clock)
    server = uvicorn.Server(mutual_tls(app, "127.0.0.1", port, chain, key, authority.bundle_file))
    config = NodeConfig(
        node=Node(id=NODE, site="BTM-017", data_dir=folder),
        hub=Hub(
            broker_host="127.0.0.1",
            gateway_url=f"https://127.0.0.1:{port}",
            ca_file=authority.ca_file,
            certificate_file=folder / "node.pem",
            key_file=folder / "node.key",
        ),
    )
    with running(Server("gateway", server)):
        until(lambda: server.started)
        yield Site(config, authority, store)


@pytest.fixture
def site(store: Store, tmp_path: Path, clock: FakeClock) -> Iterator[Site]:
    yield from make_site(tmp_path, store, clock, NOW)


@pytest.fixture(params=[-250, 200], ids=["the node's clock is ahead", "the node's clock is behind"])
def odd_clock(
    request: pytest.FixtureRequest, store: Store, tmp_path: Path, clock: FakeClock
) -> Iterator[Site]:
    """To a node with a wrong clock the gateway's certificate looks expired, or not valid yet."""
    yield from make_site(tmp_path, store, clock, NOW + timedelta(days=request.param))


@pytest.mark.parametrize(("age_days", "due"), [(0, False), (59, False), (61, True), (200, True)])
def test_a_certificate_is_renewed_when_a_month_is_left(site: Site, age_days: int, due: bool) -> None:
    site.certificate(NOW - timedelta(days=age_days))
    assert enrolment.renewal_due(site.config, NOW) is due


def test_an_expired_certificate_is_renewed_for_the_same_key(site: Site) -> None:
    site.certificate(NOW - timedelta(days=200))
    key = site.config.hub.key_file.read_bytes()
    enrolment.renew(site.config)
    assert site.until() > NOW + timedelta(days=80)
    assert site.config.hub.key_file.read_bytes() == key


def test_a_node_with_a_wrong_clock_hears_the_time_and_renews(odd_clock: Site) -> None:
    assert abs(enrolment.hub_time(odd_clock.config, SystemClock()).wall_ns / 1e9 - NOW.timestamp()) < 60
    odd_clock.certificate(NOW - timedelta(days=200))
    enrolment.renew(odd_clock.config)
    assert odd_clock.until() > NOW


def test_a_round_gives_an_anchor_of_the_hub_and_a_floor(site: Site) -> None:
    anchors: queue.Queue[ClockAnchor] = queue.Queue()
    site.config.node.data_dir.mkdir(parents=True, exist_ok=True)
    site.certificate(NOW)
    clock = SystemClock()
    before_ns = clock.boot_ns()
    assert Renewal(site.config, clock, queue.Queue(), anchors).look()
    told = anchors.get_nowait()
    assert (told.source, told.boot_id) == ("hub", read_boot_id())
    assert before_ns < told.boot_ns < clock.boot_ns()
    assert 2000 < told.error_ms < 12_000
    assert abs(told.utc_ns - int(NOW.timestamp()) * 10**9) < 60 * 10**9
    hour_ns = 3600 * 10**9
    assert 0 < told.utc_ns - read_floor_ns(site.config.node.data_dir) <= 2 * hour_ns


def test_the_hub_may_have_looked_at_its_clock_at_any_moment_between() -> None:
    told = anchor_of(HubTime(10**18, asked_boot_ns=5 * 10**9, told_boot_ns=9 * 10**9), "boot")
    assert told.boot_ns == 7 * 10**9
    for looked_ns in (5 * 10**9, 9 * 10**9):
        assert abs(told.boot_ns - looked_ns) <= (told.error_ms - HUB_ERROR_MS) * 10**6


def test_a_revoked_or_unlisted_certificate_is_not_renewed(site: Site, store: Store) -> None:
    site.certificate(NOW, known=False)
    with pytest.raises(ClaimFailed, match="not in the list"):
        enrolment.renew(site.config)
    site.certificate(NOW)
    store.write(lambda connection: certificates.revoke(connection, NODE, "admin", 1))
    with pytest.raises(ClaimFailed, match="revoked"):
        enrolment.renew(site.config)


def test_a_revoked_node_is_not_renewed(site: Site, store: Store) -> None:
    site.certificate(NOW)
    store.write(lambda connection: nodes.set_state(connection, NODE, "revoked", "admin", 1))
    with pytest.raises(ClaimFailed, match="revoked"):
        enrolment.renew(site.config)


def test_another_authoritys_certificate_or_another_key_is_refused(site: Site, tmp_path: Path) -> None:
    stranger = Authority.create(tmp_path / "stranger", "Lain", NOW)
    site.certificate(NOW, authority=stranger)
    with pytest.raises(ClaimFailed, match="no certificate of ours"):
        enrolment.renew(site.config)
    site.certificate(NOW)
    site.config.hub.key_file.write_bytes(key_pem(new_key()))
    with pytest.raises(ClaimFailed, match="another key"):
        enrolment.renew(site.config)


def test_a_servers_certificate_is_no_nodes(site: Site) -> None:
    chain, key = site.authority.own("server", NOW, ["127.0.0.1"])
    site.config.hub.certificate_file.write_bytes(chain.read_bytes())
    site.config.hub.key_file.write_bytes(key.read_bytes())
    with pytest.raises(ClaimFailed, match="no node's certificate"):
        enrolment.renew(site.config)
