"""The uplink's own thread: journals out, acknowledgements and commands in."""

import contextlib
import logging
import queue
import select

from siaga_core.service.clock import Clock, read_boot
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire import health, topics
from siaga_core.wire.envelope import BadRecord, decode_ack
from siaga_core.wire.health import ServiceState
from siaga_edge.inbox import wake
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig
from siaga_edge.uplink.commands import CommandTaker
from siaga_edge.uplink.delivery import Delivery, Mark
from siaga_edge.uplink.ledger import Ledger
from siaga_edge.uplink.mqtt import BrokerUnreachable, Connected, Event, Link, Lost, Message, Published
from siaga_edge.uplink.sources import Sources, payload
from siaga_edge.uplink.watch import Watch

log = logging.getLogger(__name__)

_SERVICES = ("recorder", "cameras", "modem", "health", "uplink")
_HOUSEKEEPING_EVERY_S = 600.0


class Carrier:
    """Everything the uplink does over MQTT; made, used and closed in one thread."""

    def __init__(self, config: NodeConfig, clock: Clock, notices: queue.Queue[ServiceState]) -> None:
        """Open the files. Raises AlreadyOpen when another uplink has them."""
        config.node.data_dir.mkdir(parents=True, exist_ok=True)
        self._config, self._clock, self._notices = config, clock, notices
        self._closing = contextlib.ExitStack()
        self._ledger = Ledger(config.delivery_file, clock)
        self._closing.callback(self._ledger.close)
        boot = read_boot(config.node.data_dir)
        self._journal = Journal(config.journal_file("uplink"), clock, boot)
        self._closing.callback(self._journal.close)
        services = [service for service in config.services if service != "uplink"]
        self._commands = CommandTaker(
            config.id, services, config.inbox_file, self._journal, self._call, clock
        )
        self._closing.callback(self._commands.close)
        self._sources = Sources({service: config.journal_file(service) for service in _SERVICES})
        self._closing.callback(self._sources.close)
        self._watch = Watch(config.node.data_dir)
        self._closing.callback(self._watch.close)
        self._delivery = Delivery(self._ledger.marks())
        self._on_wire: dict[int, str] = {}
        self._reported: set[str] = set()
        self._cleaned_s = float("-inf")

    def serve(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Hold one connection until it is lost (BrokerUnreachable, a Transient) or the end is asked for."""
        link = Link(self._config.hub, self._config.id, since_ms=self._clock.wall_ns() // 1_000_000)
        self._on_wire.clear()
        try:
            link.open()
            heartbeat.beat()
            online = False
            while not stop.is_set():
                events, heard = self._turn(link)
                if heard:
                    heartbeat.beat()
                online = self._handle(link, events) or online
                self._work(link, online)
            link.close(farewell=True)
        finally:
            link.close()

    def close(self) -> None:
        """Close all files, last opened first."""
        self._closing.close()

    def _call(self, service: str) -> bool:
        return wake(self._config.socket_file(service))

    def _turn(self, link: Link) -> tuple[list[Event], bool]:
        """Wait for the broker or a journal, whichever comes first."""
        socket = link.fileno()
        if socket < 0:
            return [Lost("the connection was closed")], False
        readers = [descriptor for descriptor in (socket, self._watch.fileno()) if descriptor >= 0]
        writers = [socket] if link.wants_write() else []
        pause_s = self._watch.pause_s(self._clock.mono_s())
        readable, writable, _ = select.select(readers, writers, [], pause_s)
        self._watch.take(self._clock.mono_s())
        return link.pump(readable=socket in readable, writable=socket in writable)

    def _handle(self, link: Link, events: list[Event]) -> bool:
        """Act on what came; True if the connection has just been accepted. Raises BrokerUnreachable."""
        accepted = False
        marks: list[Mark] = []
        lost = ""
        for event in events:
            match event:
                case Connected():
                    accepted = True
                    self._delivery.connected()
                    link.greet()
                    log.info("connected broker=%s", self._config.hub.broker_host)
                case Published(mid, refused):
                    self._published(mid, refused)
                case Message():
                    self._message(event, marks)
                    link.confirm(event)
                case Lost(reason):
                    lost = lost or reason
        if marks:
            self._ledger.commit(marks)
        if lost:
            raise BrokerUnreachable(f"broker {self._config.hub.broker_host}: connection lost: {lost}")
        return accepted

    def _message(self, message: Message, marks: list[Mark]) -> None:
        if message.topic == topics.down_command(self._config.id):
            self._commands.take(message.payload)
        elif message.topic == topics.down_ack(self._config.id):
            try:
                ack = decode_ack(message.payload)
            except BadRecord as error:
                log.warning("acknowledgement not understood cause=%s", error)
                return
            if ack.node != self._config.id:
                return
            now_s = self._clock.mono_s()
            if mark := self._delivery.acknowledged(ack.stream, ack.epoch, ack.upto, now_s):
                marks.append(mark)

    def _published(self, mid: int, refused: str) -> None:
        stream = self._on_wire.pop(mid, "")
        if not refused or not stream:
            return
        self._delivery.refused(stream, self._clock.mono_s())
        log.error("broker refused records stream=%s reason=%s; check its ACL", stream, refused)
        if stream not in self._reported:
            self._reported.add(stream)
            detail = f"{stream}: {refused}"
            self._note(ServiceState(service="uplink", level="crit", code="uplink.denied", detail=detail))

    def _work(self, link: Link, online: bool) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._note(self._notices.get_nowait())
        now_s = self._clock.mono_s()
        if now_s - self._cleaned_s > _HOUSEKEEPING_EVERY_S:
            self._cleaned_s = now_s
            self._journal.prune(read_marks(self._config.delivery_file))
            self._commands.forget_old()
        self._sources.look(self._delivery)
        for stream in self._delivery.resend_overdue(now_s):
            log.info("hub silent, sending again stream=%s", stream)
        if online:
            self._send(link, now_s)

    def _send(self, link: Link, now_s: float) -> None:
        while fetch := self._delivery.next(now_s):
            handed = 0
            for record in self._sources.read(fetch):
                encoded = payload(record, self._config.id)
                if not self._delivery.fits(fetch.stream, len(encoded)):
                    return
                mid = link.publish(topics.up_record(self._config.id, fetch.stream), encoded)
                if mid is None:
                    return
                self._on_wire[mid] = fetch.stream
                self._delivery.sent(fetch.stream, record.seq, len(encoded), now_s)
                handed += 1
            if not handed:
                return

    def _note(self, state: ServiceState) -> None:
        self._journal.append(health.SERVICE_KIND, state)


class Uplink:
    """The worker: opens the files once, in its own thread, and reconnects with the supervisor's back-off."""

    def __init__(self, config: NodeConfig, clock: Clock, notices: queue.Queue[ServiceState]) -> None:
        self._config, self._clock, self._notices = config, clock, notices
        self._carrier: Carrier | None = None

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """For the Supervisor. What the broker has refused stays known over a lost connection."""
        if self._carrier is None:
            self._carrier = Carrier(self._config, self._clock, self._notices)
        try:
            self._carrier.serve(stop, heartbeat)
        finally:
            if stop.is_set():
                self._carrier.close()
