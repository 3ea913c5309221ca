"""The edge's only door to MQTT: one connection, driven by its owner's thread through paho's external loop.

Traps of paho 2.2 this stands on (measured): its queue ends at 65535 and is not on disk, a reconnect ignores
the in-flight limit, an exception in a callback ends its thread, callbacks run inside publish(). So paho holds
only the present window, each connection is a new client, and callbacks only put values on a bounded queue.
"""

import contextlib
import logging
import queue
import ssl
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from siaga_core.errors import SiagaError, Transient
from siaga_core.wire import topics
from siaga_core.wire.envelope import Presence, encode
from siaga_core.wire.ids import NodeId
from siaga_edge.node import Hub

log = logging.getLogger(__name__)

KEEPALIVE_S = 15
# The broker keeps commands this long for a node that is away; the journal is the records' queue.
SESSION_S = 86_400
_EVENTS = 4096


class BrokerUnreachable(SiagaError, Transient):
    """No connection to the broker could be made."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted this node."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """The broker's PUBACK: never delivery. `refused` names its reason, empty if it took the message."""

    mid: int
    refused: str


@dataclass(frozen=True, slots=True)
class Message:
    """Something the hub said; to be confirmed once it is safe."""

    topic: str
    payload: bytes
    mid: int
    qos: int


Event = Connected | Lost | Published | Message


class Link:
    """One MQTT 5 connection with the node's certificate; birth and last will on the node's state topic."""

    def __init__(self, hub: Hub, node: NodeId, *, since_ms: int, version: str = "") -> None:
        """Prepare only; `open` connects. Everything is called from one thread."""
        self._hub, self._node = hub, node
        self._birth = encode(Presence(node=node, online=True, since_ms=since_ms, version=version))
        self._events: queue.Queue[Event] = queue.Queue(_EVENTS)
        self._client = self._make(
            encode(Presence(node=node, online=False, since_ms=since_ms, version=version))
        )
        self.dropped = 0

    def open(self) -> None:
        """Reach the broker and say CONNECT; `Connected` or `Lost` follows. Raises BrokerUnreachable."""
        where = f"{self._hub.broker_host}:{self._hub.broker_port}"
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_S
        try:
            self._client.tls_set_context(_context(self._hub))
            self._client.connect(
                self._hub.broker_host,
                self._hub.broker_port,
                KEEPALIVE_S,
                clean_start=False,
                properties=properties,
            )
        except OSError as error:  # refused, timed out, unknown host, TLS; also a missing certificate file
            raise BrokerUnreachable(f"broker {where}: {error}") from error

    def fileno(self) -> int:
        """The socket for select, -1 when there is none."""
        socket = self._client.socket()
        return -1 if socket is None else socket.fileno()

    def wants_write(self) -> bool:
        """Whether bytes wait to leave."""
        return self._client.want_write()

    def pump(self, *, readable: bool, writable: bool) -> tuple[list[Event], bool]:
        """Let paho read, write and keep alive; what happened, and whether the broker was heard."""
        heard = readable and self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        # Bytes that TLS has already decrypted do not show in select.
        while heard and self._pending() and self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            pass
        if writable:
            self._client.loop_write()
        self._client.loop_misc()
        events: list[Event] = []
        with contextlib.suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        if self._client.socket() is None and not any(isinstance(event, Lost) for event in events):
            events.append(Lost("the connection was closed"))
        return events, heard

    def greet(self) -> int:
        """After `Connected`: listen to the hub, then announce the node (retained); the message's number."""
        # Who the hub is comes first: the broker hands out what it retains filter by filter, in this order.
        self._client.subscribe([(topics.DOWN_HUB, 1), (topics.down_filter(self._node), 1)])
        return self._client.publish(topics.up_state(self._node), self._birth, qos=1, retain=True).mid

    def publish(self, topic: str, payload: bytes) -> int | None:
        """Hand over a message at QoS 1; its number, None if the connection is gone."""
        message = self._client.publish(topic, payload, qos=1)
        return message.mid if message.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def confirm(self, message: Message) -> None:
        """Tell the broker that `message` is safe here (PUBACK); without it the message comes again."""
        self._client.ack(message.mid, message.qos)

    def close(self, *, farewell: bool = False) -> None:
        """End the connection; a `farewell` has the last will published at once (MQTT 5, 3.14.2.1)."""
        if self._client.socket() is not None and farewell:
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
            self._client.loop_write()
        socket = self._client.socket()
        if socket is not None:
            socket.close()

    def _make(self, will: bytes) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._node,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        client.suppress_exceptions = True  # a callback of ours never raises; paho's own must not end the loop
        client.connect_timeout = 10.0
        client.max_inflight_messages = 0  # the window is kept by Delivery, over all streams
        client.will_set(topics.up_state(self._node), will, qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        return client

    def _pending(self) -> bool:
        socket = self._client.socket()
        return isinstance(socket, ssl.SSLSocket) and socket.pending() > 0

    def _put(self, event: Event) -> None:
        try:
            self._events.put_nowait(event)
        except queue.Full:  # not confirmed, so the broker sends it again on the next connection
            self.dropped += 1

    def _on_connect(self, _c: Any, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self._put(Lost(f"the broker refused the node: {code}") if code.is_failure else Connected())

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, code: ReasonCode, _p: Any) -> None:
        self._put(Lost(str(code)))

    def _on_publish(self, _c: Any, _u: Any, mid: int, code: ReasonCode, _p: Any) -> None:
        self._put(Published(mid, str(code) if code.is_failure else ""))

    def _on_subscribe(self, _c: Any, _u: Any, _mid: int, codes: list[ReasonCode], _p: Any) -> None:
        if any(code.is_failure for code in codes):
            self._put(Lost("the broker refused the subscription to the hub's topics; check its ACL"))

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:
        self._put(Message(str(message.topic), bytes(message.payload), message.mid, message.qos))


def _context(hub: Hub) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(hub.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(hub.certificate_file, hub.key_file)
    return context
