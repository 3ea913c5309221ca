"""The uplink's own thread: journals out, acknowledgements and commands in."""

import contextlib
import logging
import queue
import select
import sys

from siaga_core.service.clock import Clock, read_boot
from siaga_core.service.signing import Signer
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire import anchor, health, topics
from siaga_core.wire.anchor import ClockAnchor
from siaga_core.wire.envelope import Ack, BadRecord, decode_ack
from siaga_core.wire.health import LinkState, ServiceState
from siaga_core.wire.want import decode_want
from siaga_edge.inbox import wake
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig
from siaga_edge.uplink.commands import CommandTaker
from siaga_edge.uplink.delivery import Delivery, Mark
from siaga_edge.uplink.ledger import Ledger
from siaga_edge.uplink.mqtt import BrokerUnreachable, Connected, Event, Link, Lost, Message, Published
from siaga_edge.uplink.sources import Sources, pack
from siaga_edge.uplink.status import LinkStatus, write_status
from siaga_edge.uplink.texting import Texting
from siaga_edge.uplink.transfer import SharedBudget
from siaga_edge.uplink.trust import HubTrust
from siaga_edge.uplink.watch import Watch

log = logging.getLogger(__name__)

_SERVICES = ("recorder", "cameras", "modem", "modemb", "health", "uplink")
_HOUSEKEEPING_EVERY_S = 600.0
# A batch before it is compressed. A backlog of samples shrinks to a fortieth: 2 kB for 140 of them.
_BATCH_BYTES = {"urgent": 32 * 1024, "bulk": 88 * 1024}
# A broker or a stranger that sends forgeries must not fill the urgent lane: one record says how many.
_REPORT_FORGED_EVERY_S = 60.0
# Unconfirmed until the hub is known; mosquitto stops at 20 (max_inflight_messages) and could not announce it.
_EARLY_MOST = 8


class Carrier:
    """Everything the uplink does over MQTT; made, used and closed in one thread."""

    def __init__(
        self,
        config: NodeConfig,
        clock: Clock,
        notices: queue.Queue[ServiceState],
        budget: SharedBudget,
        anchors: "queue.Queue[ClockAnchor] | None" = None,
    ) -> None:
        """Open the files. Raises AlreadyOpen when another uplink has them, BadKey without a key."""
        config.node.data_dir.mkdir(parents=True, exist_ok=True)
        self._config, self._clock, self._notices, self._budget = config, clock, notices, budget
        self._anchors: queue.Queue[ClockAnchor] = queue.Queue() if anchors is None else anchors
        self._signer = Signer.load(config.hub.key_file)
        self._more = False  # a batch has gone, and another may be waiting
        self._closing = contextlib.ExitStack()
        self._ledger = Ledger(config.delivery_file, clock)
        self._closing.callback(self._ledger.close)
        boot = read_boot(config.node.data_dir)
        self._journal = Journal(config.journal_file("uplink"), clock, boot)
        self._closing.callback(self._journal.close)
        if self._ledger.damaged is not None:
            self._journal.note_damage("uplink", self._ledger.damaged, "all that is still here is sent again")
        services = [service for service in config.services if service != "uplink"]
        self._commands = CommandTaker(
            config.id, services, config.inbox_file, self._journal, self._call, clock
        )
        self._closing.callback(self._commands.close)
        self._texting = Texting(config.id, self._commands.inbox, clock, boot.id) if config.modem else None
        self._sources = Sources({service: config.journal_file(service) for service in _SERVICES})
        self._closing.callback(self._sources.close)
        self._watch = Watch(config.node.data_dir)
        self._closing.callback(self._watch.close)
        self._delivery = Delivery(self._ledger.marks())
        self._trust = HubTrust(config.hub.ca_file, self._ledger)
        self._on_wire: dict[int, str] = {}
        self._reported: set[str] = set()
        self._forged, self._forged_reported_s = 0, float("-inf")
        self._early: list[Message] = []  # came before the hub was known: judged when it is
        self._doubted: dict[str, str] = {}  # what was not believed last, by topic
        self._cleaned_s = float("-inf")
        self._link_up, self._link_since_s = False, clock.mono_s()
        self._cautious = False

    def serve(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Hold one connection until it is lost (BrokerUnreachable, a Transient) or the end is asked for."""
        self._signer = Signer.load(self._config.hub.key_file)  # renewed meanwhile, perhaps
        link = Link(self._config.hub, self._config.id, since_ms=self._clock.wall_ns() // 1_000_000)
        # mosquitto 2.0.11 drops a TLS connection after a denied publish, and what else is under way then
        # makes the kernel throw away the refusal too. After such a loss one goes at a time, until one counts.
        self._cautious = bool(self._on_wire)
        self._on_wire.clear()
        self._early.clear()  # not confirmed, so the broker sends it again
        try:
            self._sources.look(self._delivery)
            self._text()  # also when nobody answers below
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
            self._link(up=False, reason=_reason(sys.exc_info()[1]))
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
        pause_s = 0.0 if self._more else self._watch.pause_s(self._clock.mono_s())
        self._more = False
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
                    self._on_wire[link.greet()] = ""
                    log.info("connected broker=%s", self._config.hub.broker_host)
                    self._link(up=True)
                case Published(mid, refused):
                    self._published(mid, refused)
                case Message():
                    for message in self._judgeable(event):
                        self._message(message, marks)
                        link.confirm(message)
                case Lost(reason):
                    lost = lost or reason
        if marks:
            self._ledger.commit(marks)
        if lost:
            raise BrokerUnreachable(f"broker {self._config.hub.broker_host}: connection lost: {lost}")
        return accepted

    def _judgeable(self, message: Message) -> list[Message]:
        """What can be judged now: before the hub's first announcement nothing else can."""
        if message.topic == topics.DOWN_HUB:
            early, self._early = self._early, []
            return [message, *early]
        if self._trust.is_known or len(self._early) >= _EARLY_MOST:
            return [message]
        self._early.append(message)
        return []

    def _message(self, message: Message, marks: list[Mark]) -> None:
        """Act on one word from above, if the hub has signed it; what it has not is counted and reported."""
        try:
            if message.topic == topics.DOWN_HUB:
                self._trust.hear(message.payload)
                return
            inside = self._trust.open(message.topic, message.payload)
            if message.topic == topics.down_command(self._config.id):
                self._commands.take(inside)
            elif message.topic == topics.down_ack(self._config.id):
                self._acknowledged(decode_ack(inside), marks)
            else:
                self._commands.want(decode_want(inside))
                self._believed(message.topic)
        except BadRecord as error:
            self._refuse(message.topic, error)

    def _acknowledged(self, ack: Ack, marks: list[Mark]) -> None:
        if ack.node != self._config.id:
            raise BadRecord("impersonation", f"an acknowledgement for {ack.node}")
        if ack.generation != self._ledger.generation():
            if ack.whole:  # otherwise wait: the hub says what it has when it hears that we are here
                self._restored(ack)
            return
        now_s = self._clock.mono_s()
        for mark in ack.marks:
            if moved := self._delivery.acknowledged(mark.stream, mark.epoch, mark.upto, now_s):
                marks.append(moved)
                self._cautious = False

    def _restored(self, ack: Ack) -> None:
        """A hub whose database is another life than the one we knew: what it lacks, it gets again."""
        known = self._ledger.generation()
        self._ledger.reset(
            ack.generation,
            self._delivery.restored(Mark(m.stream, m.epoch, m.upto) for m in ack.marks) if known else [],
        )
        if known:
            log.warning("hub restored generation=%s; sending again what it lacks", ack.generation)
            self._note(
                ServiceState(service="uplink", level="warn", code="uplink.restored", detail=ack.generation)
            )
        else:
            now_s = self._clock.mono_s()
            moved = [self._delivery.acknowledged(m.stream, m.epoch, m.upto, now_s) for m in ack.marks]
            self._ledger.commit([mark for mark in moved if mark])

    def _believed(self, topic: str) -> None:
        """The hub's own word stands again where something else stood: that trouble is over."""
        code = self._doubted.pop(topic, None)
        if code is not None and code not in self._doubted.values():
            detail = f"{topic.rpartition('/')[2]}: the hub's own stands there again"
            self._note(ServiceState(service="uplink", level="ok", code=code, detail=detail))

    def _refuse(self, topic: str, error: BadRecord) -> None:
        self._forged += 1
        self._doubted[topic] = f"uplink.{error.reason}"
        log.warning("not believed topic=%s count=%d cause=%s", topic, self._forged, error)
        if self._clock.mono_s() - self._forged_reported_s < _REPORT_FORGED_EVERY_S:
            return
        self._forged_reported_s = self._clock.mono_s()
        level: health.Level = "crit" if error.reason in ("forged", "stranger", "seal") else "warn"
        detail = f"{self._forged} so far; {topic.rpartition('/')[2]}: {error}"[:400]
        self._note(ServiceState(service="uplink", level=level, code=f"uplink.{error.reason}", detail=detail))

    def _published(self, mid: int, refused: str) -> None:
        stream = self._on_wire.pop(mid, "")
        if not stream:  # the birth
            return
        if not refused:
            self._delivery.confirmed(stream, self._clock.mono_s())
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
        with contextlib.suppress(queue.Empty):
            while True:
                self._journal.append(anchor.KIND, self._anchors.get_nowait(), "bulk")
        now_s = self._clock.mono_s()
        if now_s - self._cleaned_s > _HOUSEKEEPING_EVERY_S:
            self._cleaned_s = now_s
            self._journal.prune(read_marks(self._config.delivery_file))
            self._commands.forget_old()
        self._sources.look(self._delivery)
        self._text()
        for stream in self._delivery.resend_overdue(now_s):
            log.info("hub silent, sending again stream=%s", stream)
        if online:
            self._send(link, now_s)

    def _text(self) -> None:
        """Urgent records that the hub does not take go by SMS, where the node has a modem."""
        if self._texting is None or not self._texting.is_due():
            return
        if self._texting.look(self._sources.urgent_after(self._ledger.marks()), self._signer):
            self._call("modem")

    def _send(self, link: Link, now_s: float) -> None:
        """Hand over batches while the windows have room; what can wait waits for the site's budget."""
        while fetch := self._delivery.next(now_s, bulk=self._budget.may_send(now_s)):
            if self._cautious and self._on_wire:
                return
            records = self._sources.read(fetch)
            if records is None:
                return
            packed = pack(self._config.id, fetch, records, _BATCH_BYTES[fetch.stream.partition(".")[2]])
            topic = topics.up_record(self._config.id, fetch.stream)
            sealed = self._signer.seal(topic, packed.message)
            mid = link.publish(topic, sealed)
            if mid is None:
                return
            self._on_wire[mid] = fetch.stream
            self._delivery.sent(fetch.stream, packed.last, len(sealed))
            self._budget.spend(len(sealed), now_s)
            if fetch.stream.endswith(".bulk"):
                # A backlog's batch takes 6 ms to compress: it leaves, and what became urgent is next.
                self._more = True
                return

    def _link(self, *, up: bool, reason: str = "") -> None:
        """The way to the hub has changed: said to the hub, and to whoever stands before the node."""
        if up == self._link_up and not reason:
            return
        now_s = self._clock.mono_s()
        if up != self._link_up:
            lasted_s = round(now_s - self._link_since_s, 1)
            self._link_up, self._link_since_s = up, now_s
            state = LinkState(link="mqtt", up=up, lasted_s=lasted_s, reason=reason[:200])
            self._journal.append_all([(health.LINK_KIND, state, "bulk")])
        status = LinkStatus(up=up, since_wall_ns=self._clock.wall_ns(), reason=reason)
        write_status(self._config.node.run_dir, status)

    def _note(self, state: ServiceState) -> None:
        self._journal.append(health.SERVICE_KIND, state)


def _reason(error: BaseException | None) -> str:
    return str(error) if error is not None else ""


class Uplink:
    """The worker: opens the files once, in its own thread, and reconnects with the supervisor's back-off."""

    def __init__(
        self,
        config: NodeConfig,
        clock: Clock,
        notices: queue.Queue[ServiceState],
        budget: SharedBudget,
        anchors: "queue.Queue[ClockAnchor] | None" = None,
    ) -> None:
        self._config, self._clock, self._notices, self._budget = config, clock, notices, budget
        self._anchors = anchors
        self._carrier: Carrier | None = None

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """For the Supervisor. What the broker has refused stays known over a lost connection."""
        if self._carrier is None:
            self._carrier = Carrier(self._config, self._clock, self._notices, self._budget, self._anchors)
        try:
            self._carrier.serve(stop, heartbeat)
        finally:
            if stop.is_set():
                self._carrier.close()
