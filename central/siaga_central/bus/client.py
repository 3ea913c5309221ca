"""The hub's one MQTT client: MQTT 5, one owner thread, acknowledged by hand after the commit.

Other threads put orders on a queue and wake the owner; paho is touched by nobody else. mosquitto 2.0.11 does
not keep the in-flight window, so memory is bounded by not reading the socket while ingest is behind.
"""

import contextlib
import logging
import os
import queue
import select
import ssl
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.workers import Heartbeat, Stop, back_off_s
from siaga_core.wire.topics import ACK_FILTER, UP_FILTER

log = logging.getLogger(__name__)

KEEPALIVE_S = 20
CONNECT_LIMIT_S = 10.0
INCOMING_MOST = 2000
# What operators' clients say may never stand before a report: what is more than this is dropped and counted.
DESK_MOST = 2000
DESK_BYTES_MOST = 8193
# The broker keeps the hub's session, and with it unacknowledged records, for a week.
SESSION_S = 7 * 86400
POLL_S = 0.5
RETRY_MOST_S = 3.0


class BrokerAway(SiagaError, Transient):
    """There is no connection to the broker now."""


class BrokerRefused(SiagaError):
    """The broker took a message and would not have it."""


@dataclass(frozen=True, slots=True)
class Connect:
    """How the hub reaches the broker."""

    host: str
    port: int
    ca_file: Path
    certificate_file: Path
    key_file: Path
    client_id: str = "hub"
    subscribe: str = UP_FILTER
    desk: str = ACK_FILTER


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message; `token` names the connection it came on."""

    topic: str
    payload: bytes
    retained: bool
    token: tuple[int, int]


@dataclass(slots=True)
class _Publish:
    topic: str
    payload: bytes
    retain: bool
    future: "Future[None]"


class Bus:
    """`work` is the owner; everything else may be called from any thread."""

    def __init__(self, connect: Connect, *, incoming_most: int = INCOMING_MOST) -> None:
        self._connect = connect
        self._incoming_most = incoming_most
        self.incoming: queue.Queue[Incoming] = queue.Queue()
        self.desk: queue.Queue[Incoming] = queue.Queue(DESK_MOST)
        self.desk_dropped = 0
        self._orders: deque[_Publish | list[Incoming]] = deque()
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._generation = 0
        self._up = False
        self._pending: dict[int, Future[None]] = {}

    @property
    def connection(self) -> int:
        """0 while down, else a number that grows with each connect."""
        return self._generation if self._up else 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> "Future[None]":
        """Publish with QoS 1; resolves at the broker's PUBACK, fails with BrokerAway or BrokerRefused."""
        future: Future[None] = Future()
        if not self._up:
            future.set_exception(BrokerAway("the broker is away; nothing was published"))
            return future
        self._order(_Publish(topic, payload, retain, future))
        return future

    def acknowledge(self, batch: Sequence[Incoming]) -> None:
        """Let the broker forget these messages; those of an earlier connection come again by themselves."""
        self._order(list(batch))

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Stay connected until asked to stop."""
        tries = 0
        while not stop.is_set():
            client = self._client()
            try:
                self._open(client)
                tries = 0 if self._serve(client, stop, heartbeat) else tries + 1
            except (OSError, ssl.SSLError, BrokerAway) as error:
                tries += 1
                level = logging.INFO if tries < 5 else logging.WARNING
                log.log(level, "broker away tries=%d cause=%s", tries, error)
            finally:
                self._close(client)
            heartbeat.beat()
            stop.wait(back_off_s(tries, 0.5, first_s=0.1, most_s=RETRY_MOST_S))

    # -- the owner's side ------------------------------------------------------------------------

    def _client(self) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._connect.client_id,
            protocol=paho.MQTTv5,
            manual_ack=True,
        )
        client.max_inflight_messages_set(0)
        client.tls_set(
            ca_certs=str(self._connect.ca_file),
            certfile=str(self._connect.certificate_file),
            keyfile=str(self._connect.key_file),
        )
        client.connect_timeout = CONNECT_LIMIT_S
        client.on_connect = self._on_connect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _open(self, client: paho.Client) -> None:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        client.connect(
            self._connect.host, self._connect.port, KEEPALIVE_S, clean_start=False, properties=properties
        )

    def _serve(self, client: paho.Client, stop: Stop, heartbeat: Heartbeat) -> bool:
        """Serve one connection until it is lost; whether it was ever up."""
        was_up = False
        while not stop.is_set():
            sock: Any = client.socket()
            if sock is None:
                return was_up
            if self._wait(client, sock) and not self._read(client, sock):
                return was_up
            self._obey(client)
            while client.want_write():
                if client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                    return was_up
                if client.want_write() and not select.select([], [sock], [], 0.1)[1]:
                    break
            if client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
                return was_up
            was_up = was_up or self._up
            heartbeat.beat()
        return was_up

    def _wait(self, client: paho.Client, sock: Any) -> bool:
        """Sleep until there is something to do; whether the socket can be read now."""
        behind = self.incoming.qsize() >= self._incoming_most
        if not behind and sock.pending():
            return True
        readers = [self._wake_read] if behind else [sock, self._wake_read]
        writers = [sock] if client.want_write() else []
        # While ingest is behind, look again soon: it does not call when it has caught up.
        ready, _, _ = select.select(readers, writers, [], 0.01 if behind else POLL_S)
        if self._wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                while os.read(self._wake_read, 4096):
                    pass
        return sock in ready

    def _read(self, client: paho.Client, sock: Any) -> bool:
        while self.incoming.qsize() < self._incoming_most:
            if client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS or client.socket() is None:
                return False
            if not sock.pending():
                return True
        return True

    def _obey(self, client: paho.Client) -> None:
        while self._orders:
            order = self._orders.popleft()
            if isinstance(order, _Publish):
                self._send(client, order)
                continue
            for incoming in order:
                generation, mid = incoming.token
                if generation == self._generation and mid:  # QoS 0 has no number and wants no answer
                    client.ack(mid, 1)

    def _send(self, client: paho.Client, order: _Publish) -> None:
        sent = client.publish(order.topic, order.payload, qos=1, retain=order.retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            order.future.set_exception(BrokerAway(f"{order.topic} was not published: {sent.rc}"))
            return
        self._pending[sent.mid] = order.future

    def _close(self, client: paho.Client) -> None:
        self._up = False
        with contextlib.suppress(OSError, ValueError):
            client.disconnect()
        pending, self._pending = list(self._pending.values()), {}
        while self._orders:
            order = self._orders.popleft()
            if isinstance(order, _Publish):
                pending.append(order.future)
        for future in pending:
            if not future.done():
                future.set_exception(BrokerAway("the broker went away before it confirmed"))

    def _order(self, order: "_Publish | list[Incoming]") -> None:
        self._orders.append(order)
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"!")

    # -- paho's callbacks: they note, and never raise -----------------------------------------------

    def _on_connect(
        self, client: paho.Client, _user: object, _flags: object, reason: Any, _properties: object
    ) -> None:
        if reason.is_failure:
            log.error("broker refused the hub reason=%s", reason)
            return
        self._generation += 1
        self._up = True
        # What is retained on the desk's topics is never asked for: a word to the hub is a moment, no state.
        desk = SubscribeOptions(qos=1, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        client.subscribe([(self._connect.subscribe, SubscribeOptions(qos=1)), (self._connect.desk, desk)])
        log.info("broker connected connection=%d", self._generation)

    def _on_message(self, client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        token = (self._generation, message.mid)
        if paho.topic_matches_sub(self._connect.desk, message.topic):
            self._to_desk(client, message, token)
            return
        self.incoming.put_nowait(Incoming(message.topic, bytes(message.payload), message.retain, token))

    def _to_desk(self, client: paho.Client, message: paho.MQTTMessage, token: tuple[int, int]) -> None:
        payload = bytes(message.payload[:DESK_BYTES_MOST])
        try:
            self.desk.put_nowait(Incoming(message.topic, payload, message.retain, token))
        except queue.Full:
            self.desk_dropped += 1
            if self.desk_dropped & (self.desk_dropped - 1) == 0:  # a flood must not fill the log
                log.warning("desk full, acknowledgements dropped count=%d", self.desk_dropped)
            if message.mid:
                client.ack(message.mid, 1)

    def _on_publish(
        self, _client: paho.Client, _user: object, mid: int, reason: Any, _properties: object
    ) -> None:
        future = self._pending.pop(mid, None)
        if future is None or future.done():
            return
        if reason.is_failure:
            future.set_exception(BrokerRefused(f"the broker refused a message: {reason}"))
        else:
            future.set_result(None)


def cut_off(port: int, ca_file: Path, node: str, user: str, password: str) -> None:
    """End `node`'s open connection and session, and no other's: whoever comes with its client id replaces it.

    Raises BrokerAway when the broker was not reached or would not have it.
    """
    client = paho.Client(
        CallbackAPIVersion.VERSION2, client_id=node, protocol=paho.MQTTv5, reconnect_on_failure=False
    )
    client.tls_set(ca_certs=str(ca_file))
    client.username_pw_set(user, password)
    client.connect_timeout = CONNECT_LIMIT_S
    answers: list[str] = []
    client.on_connect = lambda _c, _u, _f, code, _p: answers.append("" if not code.is_failure else str(code))
    try:
        client.connect("127.0.0.1", port, KEEPALIVE_S, clean_start=True)
        while not answers and client.loop(1.0) == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        client.disconnect()
        client.loop(0.1)
    except (OSError, ssl.SSLError) as error:
        raise BrokerAway(
            f"{node} could not be cut off: {error}; it is refused when it comes again"
        ) from error
    if answers != [""]:
        raise BrokerAway(f"{node} could not be cut off: {answers or 'no answer'}; is the broker well?")
