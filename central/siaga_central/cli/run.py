"""The hub as one process: broker, bus, ingest, outbox, timers, gateway, console."""

import logging
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
from siaga_central.backup.restore import read_marker, settle_marker
from siaga_central.backup.shipper import Shipper
from siaga_central.backup.vault import Vault, VaultAway
from siaga_central.bus import broker
from siaga_central.bus.client import Bus, Connect, cut_off
from siaga_central.bus.settings import BrokerSettings
from siaga_central.cli.ledger import Office
from siaga_central.cli.office import OfficeDoor, socket_path
from siaga_central.console.app import create_app as create_console
from siaga_central.console.context import ConsoleSettings
from siaga_central.console.server import ConsoleServer
from siaga_central.gateway.app import create_app as create_gateway
from siaga_central.gateway.server import Server, mutual_tls
from siaga_central.hub import HubConfig
from siaga_central.ingest.desk import Desk
from siaga_central.ingest.policy import Policy
from siaga_central.ingest.worker import Ingest
from siaga_central.outbox.worker import Outbox
from siaga_central.store import generations, roster
from siaga_central.store.writer import Store
from siaga_central.timers.bus_watch import BusWatch
from siaga_central.timers.renewal import Renewal, renew_crl
from siaga_central.timers.worker import Timers
from siaga_core.errors import SiagaError
from siaga_core.service.clock import Clock, SystemClock, new_id
from siaga_core.service.main import stop_on_signals
from siaga_core.service.salvage import is_damaged
from siaga_core.service.workers import Supervisor

log = logging.getLogger(__name__)

# When the network falls, names are the first that nobody answers: what is on this machine is not looked up.
HERE = ("127.0.0.1", "localhost")
EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104 - what a config may say, nothing is bound here


class Damaged(SiagaError):
    """The hub's database is damaged."""


def run(config: HubConfig, config_file: Path) -> int:
    """Run the hub until it is asked to stop; the exit status."""
    clock = SystemClock()
    now = datetime.now(UTC)
    refuse_damaged(config.hub.data_dir / "hub.db")
    authority = Authority(config.authority_dir)
    store = Store(config.database_url, clock)
    try:
        renew_crl(store, authority, clock)
        # What the config says citizens are to call goes to the nodes with the roster: it may have changed.
        instead, now_us = config.city.instead, clock.wall_ns() // 1000
        store.write(lambda connection: roster.publish(connection, instead, "hub", now_us))
        if authority.root_is_here:
            log.warning("the root's key is on this hub; move it into a safe: authority export-root")
        supervisor = Supervisor(clock)
        stop_on_signals(supervisor.stop)
        child = broker.Broker(config.broker.program, broker.write(broker_settings(config, authority, now)))
        bus = Bus(connect(config, authority, now))
        policy = Policy(siren_nodes=tuple(config.hub.siren_nodes))
        voice = Voice(authority, *life(store, clock, config.hub.data_dir), now)
        cutting = secrets.token_urlsafe(24)
        broker.set_cutting_password(config.broker_dir, cutting)

        def cut(node: str) -> None:
            cut_off(config.broker.cutting_port, authority.ca_file, node, broker.CUTTER, cutting)

        office = Office(config, store, authority, clock, child.reload, cut)
        door = OfficeDoor(office, socket_path(config.hub.data_dir))
        supervisor.add("broker", child.work)
        supervisor.add("bus", bus.work)
        supervisor.add("ingest", Ingest(store, bus, clock, policy, voice).work)
        supervisor.add("desk", Desk(store, bus, clock).work)
        supervisor.add("outbox", Outbox(store, bus, clock, voice).work)
        supervisor.add("timers", Timers(store, clock).work)
        supervisor.add("bus-watch", BusWatch(store, clock, lambda: bus.connection).work)
        doors = (gateway(config, store, authority, clock, now), console(config, store, authority, clock, now))
        own = OwnCertificates(config, authority, child.reload, voice, doors)
        supervisor.add("renewal", Renewal(store, authority, clock, child.reload, own.renew).work)
        supervisor.add("office", door.work)
        supervisor.add("gateway", doors[0].work)
        supervisor.add("console", doors[1].work)
        ship = shipper(config, config_file, store, clock)
        if ship is not None:
            supervisor.add("backup", ship.work)
        log.info("hub starts console=%s", config.console.url)
        status = supervisor.run()
        if ship is not None:
            last_ship(ship)
        return status
    finally:
        store.close()


def life(store: Store, clock: Clock, data_dir: Path) -> tuple[str, int]:
    """(name, since_us) of the present life of the database; a new or a restored one begins another."""
    with store.read() as connection:
        present = generations.present(connection)
    restored = read_marker(data_dir)
    if present is not None and restored is None:
        return present
    name, now_us = new_id(clock), clock.wall_ns() // 1000
    why = "made" if restored is None else "restored"
    until_us = 0 if restored is None else restored.at_us
    begun = store.write(lambda connection: generations.begin(connection, name, now_us, why, until_us))
    settle_marker(data_dir)
    return begun


def refuse_damaged(database: Path) -> None:
    """Raises Damaged: a hub on a damaged database would lose what it acknowledges."""
    if database.exists() and (found := is_damaged(database)):
        raise Damaged(
            f"{database} is damaged ({found}); move it aside, then `siaga-central restore`,"
            " or without a backup `siaga-central salvage`"
        )


def shipper(config: HubConfig, config_file: Path, store: Store, clock: Clock) -> Shipper | None:
    """What ships the database to the second place, if there is one."""
    if config.backup is None:
        return None
    vault = Vault(config.backup.folder, config.backup.public_key)
    own = (config.authority_dir, config.broker_dir / "operators.passwd", config_file)
    return Shipper(store, vault, config.hub.data_dir, config.media_dir, own, clock)


def last_ship(ship: Shipper) -> None:
    """What was committed while the hub was stopping; the next start makes a new base in any case."""
    try:
        ship.ship()
    except VaultAway as error:
        log.warning("the last changes are not in the second place: %s", error)


def broker_settings(config: HubConfig, authority: Authority, now: datetime) -> BrokerSettings:
    """What mosquitto is started with."""
    chain, key = authority.own("server", now, server_names(config))
    return BrokerSettings(
        folder=config.broker_dir,
        host=config.broker.host,
        port=config.broker.port,
        operator_port=config.broker.operator_port,
        cutting_port=config.broker.cutting_port,
        ca_file=authority.bundle_file,
        crl_file=authority.crl_file,
        certificate_file=chain,
        key_file=key,
        run_as=broker.run_as(),
    )


def server_names(config: HubConfig) -> list[str]:
    """Under which names broker and gateway are reached: by nodes, and by the hub itself on this machine."""
    own = [*HERE] if config.broker.host in EVERYWHERE else [*HERE, config.broker.host]
    return list(dict.fromkeys([*config.gateway.names, *own]))


def connect(config: HubConfig, authority: Authority, now: datetime) -> Connect:
    """How the hub reaches its own broker: with a certificate like everybody, but without any name service."""
    chain, key = authority.own("hub", now)
    host = config.broker.host if config.broker.host not in EVERYWHERE else HERE[0]
    return Connect(host, config.broker.port, authority.ca_file, chain, key)


def gateway(config: HubConfig, store: Store, authority: Authority, clock: Clock, now: datetime) -> Server:
    """The nodes' HTTPS door."""
    chain, key = authority.own("server", now, server_names(config))
    app = create_gateway(store, authority, config.media_dir, clock)
    listen = config.gateway
    tls = mutual_tls(app, listen.host, listen.port, chain, key, authority.bundle_file)
    return Server("gateway", uvicorn.Server(tls))


def console(config: HubConfig, store: Store, authority: Authority, clock: Clock, now: datetime) -> Server:
    """The operators' screens."""
    settings = ConsoleSettings(
        media_dir=Path(config.media_dir),
        secure_cookies=config.console.secure_cookies,
        city_latitude=config.city.latitude,
        city_longitude=config.city.longitude,
        instead=config.city.instead,
    )
    app = create_console(store, settings, clock)
    listen = config.console
    if not listen.tls:
        return Server("console", ConsoleServer(app, listen.host, listen.port))
    chain, key = console_tls(config, authority, now)
    return Server("console", ConsoleServer(app, listen.host, listen.port, chain, key))


def console_tls(config: HubConfig, authority: Authority, now: datetime) -> tuple[Path, Path]:
    """The certificate that browsers see: the city's own, or one of the hub's authority."""
    listen = config.console
    if listen.certificate_file is not None and listen.key_file is not None:
        return listen.certificate_file, listen.key_file
    return authority.own("console", now, listen.names or config.gateway.names)


class OwnCertificates:
    """The hub's own ends: broker, gateway, console, its client at the broker, its seal."""

    def __init__(
        self,
        config: HubConfig,
        authority: Authority,
        reload_broker: Callable[[], None],
        voice: Voice,
        doors: tuple[Server, Server],
    ) -> None:
        self._config, self._authority, self._voice = config, authority, voice
        self._reload_broker, self._doors = reload_broker, doors
        self._shown: dict[Path, bytes] = {}

    def renew(self, now: datetime) -> None:
        """Make anew what has a month left, and show it from the next connection on. Raises OSError.

        The city's own certificate for the console is read again when somebody has replaced its file.
        """
        self._authority.own("hub", now)  # read at the next connect
        self._voice.renew(now)
        server = self._authority.own("server", now, server_names(self._config))
        if self._is_new(server[0]):
            self._reload_broker()
            self._doors[0].renew(*server)
        if self._config.console.tls:
            shown = console_tls(self._config, self._authority, now)
            if self._is_new(shown[0]):
                self._doors[1].renew(*shown)

    def _is_new(self, chain: Path) -> bool:
        content = chain.read_bytes()
        known = self._shown.get(chain)
        self._shown[chain] = content
        return known is not None and known != content
