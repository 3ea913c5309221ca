"""The hub as one process: broker, bus, ingest, outbox, timers, gateway, console."""

import logging
import secrets
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from siaga_central.authority.authority import Authority
from siaga_central.authority.voice import Voice
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
from siaga_central.store import generations
from siaga_central.store.writer import Store
from siaga_central.timers.renewal import Renewal, renew_crl
from siaga_central.timers.worker import Timers
from siaga_core.service.clock import Clock, SystemClock, new_id
from siaga_core.service.main import stop_on_signals
from siaga_core.service.workers import Supervisor

log = logging.getLogger(__name__)


def run(config: HubConfig) -> int:
    """Run the hub until it is asked to stop; the exit status."""
    clock = SystemClock()
    now = datetime.now(UTC)
    authority = Authority(config.authority_dir)
    store = Store(config.database_url, clock)
    try:
        renew_crl(store, authority, clock)
        supervisor = Supervisor(clock)
        stop_on_signals(supervisor.stop)
        child = broker.Broker(config.broker.program, broker.write(broker_settings(config, authority, now)))
        bus = Bus(connect(config, authority, now))
        policy = Policy(siren_nodes=tuple(config.hub.siren_nodes))
        voice = Voice(authority, *life(store, clock), now)
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
        supervisor.add("renewal", Renewal(store, authority, clock, child.reload).work)
        supervisor.add("office", door.work)
        supervisor.add("gateway", gateway(config, store, authority, clock, now).work)
        supervisor.add("console", console(config, store, clock).work)
        log.info("hub starts console=http://%s:%d", config.console.host, config.console.port)
        return supervisor.run()
    finally:
        store.close()


def life(store: Store, clock: Clock) -> tuple[str, int]:
    """(name, since_us) of the present life of the database; a new database begins its first."""
    with store.read() as connection:
        present = generations.present(connection)
    if present is not None:
        return present
    name, now_us = new_id(clock), clock.wall_ns() // 1000
    return store.write(lambda connection: generations.begin(connection, name, now_us, "made"))


def broker_settings(config: HubConfig, authority: Authority, now: datetime) -> BrokerSettings:
    """What mosquitto is started with."""
    chain, key = authority.own("server", now, config.gateway.names)
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


def connect(config: HubConfig, authority: Authority, now: datetime) -> Connect:
    """How the hub reaches its own broker: as a client with a certificate, like everybody."""
    chain, key = authority.own("hub", now)
    host = config.gateway.names[0] if config.broker.host == "0.0.0.0" else config.broker.host  # noqa: S104
    return Connect(host, config.broker.port, authority.ca_file, chain, key)


def gateway(config: HubConfig, store: Store, authority: Authority, clock: Clock, now: datetime) -> Server:
    """The nodes' HTTPS door."""
    chain, key = authority.own("server", now, config.gateway.names)
    app = create_gateway(store, authority, config.media_dir, clock)
    listen = config.gateway
    tls = mutual_tls(app, listen.host, listen.port, chain, key, authority.bundle_file)
    return Server("gateway", uvicorn.Server(tls))


def console(config: HubConfig, store: Store, clock: Clock) -> Server:
    """The operators' screens."""
    settings = ConsoleSettings(
        media_dir=Path(config.media_dir),
        secure_cookies=config.console.secure_cookies,
        city_latitude=config.city.latitude,
        city_longitude=config.city.longitude,
    )
    app = create_console(store, settings, clock)
    return Server("console", ConsoleServer(app, config.console.host, config.console.port))
