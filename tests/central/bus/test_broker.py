"""A real mosquitto, configured by us: nobody is anonymous, nobody speaks for another."""

import os
import queue
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from siaga_central.bus import broker
from siaga_central.bus.client import BrokerAway, Bus
from siaga_core.wire import topics
from siaga_core.wire.ids import IncidentId, node_id
from support.hub import Identity, Place, connected_bus, make_place, running
from support.waiting import until

A, B = node_id("btm-017"), node_id("btm-018")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    made = make_place(tmp_path_factory.mktemp("hub"))
    broker.write(made.settings)
    broker.set_operator_password(made.settings.folder, "rina-phone", "sangat-rahasia")
    return made


@pytest.fixture(scope="module")
def bus(place: Place) -> Iterator[Bus]:
    with connected_bus(place) as connected:
        yield connected


class Client:
    """An independent client that notes what happens to it."""

    def __init__(
        self, place: Place, identity: Identity | None, client_id: str, *, operator: str = ""
    ) -> None:
        self.events: queue.Queue[tuple[str, Any]] = queue.Queue()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv5)
        if identity is not None:
            self._client.tls_set(
                str(place.authority.ca_file), str(identity.certificate_file), str(identity.key_file)
            )
        else:
            self._client.tls_set(str(place.authority.ca_file))
        if operator:
            self._client.username_pw_set(operator, "sangat-rahasia")
        self._client.on_connect = lambda *a: self.events.put(("connect", str(a[3])))
        self._client.on_message = lambda *a: self.events.put(("message", (a[2].topic, a[2].payload)))
        self._client.on_publish = lambda *a: self.events.put(("publish", str(a[3])))
        self._client.on_subscribe = lambda *a: self.events.put(("subscribe", str(a[3][0])))
        self._client.on_disconnect = lambda *a: self.events.put(("disconnect", str(a[3])))
        port = place.settings.operator_port if operator else place.settings.port
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def next(self, kind: str, limit_s: float = 5) -> Any:
        """What the next event of `kind` says."""
        while True:
            found, value = self.events.get(timeout=limit_s)
            if found == kind:
                return value

    def publish(self, topic: str) -> str:
        """Publish with QoS 1; the broker's reason."""
        self._client.publish(topic, b"{}", qos=1)
        return str(self.next("publish"))

    def subscribe(self, topic: str) -> None:
        """Subscribe and wait for the answer."""
        self._client.subscribe(topic, qos=1)
        self.next("subscribe")

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def node_a(place: Place, bus: Bus) -> Iterator[Client]:
    client = Client(place, place.identity(A), A)
    assert client.next("connect") == "Success"
    yield client
    client.close()


def test_a_node_writes_below_its_own_name_and_nowhere_else(node_a: Client) -> None:
    assert node_a.publish(topics.up_record(A, "modem.urgent")) == "Success"
    assert node_a.publish(topics.up_record(B, "modem.urgent")) == "Not authorized"
    assert node_a.publish(topics.down_ack(A)) == "Not authorized"
    assert node_a.publish(topics.alert(IncidentId("x"))) == "Not authorized"


def test_a_node_hears_what_is_said_to_it_alone(node_a: Client, bus: Bus) -> None:
    node_a.subscribe("siaga/v1/down/#")
    bus.publish(topics.down_command(B), b"not for you").result(5)
    bus.publish(topics.down_command(A), b"for you").result(5)
    assert node_a.next("message") == (topics.down_command(A), b"for you")


def test_nobody_without_a_certificate_of_ours_gets_in(place: Place, bus: Bus, tmp_path: Path) -> None:
    with pytest.raises((ssl.SSLError, OSError, queue.Empty)):
        Client(place, None, "nobody").next("connect", 2)
    stranger = make_place(tmp_path)
    with pytest.raises((ssl.SSLError, OSError, queue.Empty)):
        Client(place, stranger.identity(A), A).next("connect", 2)


def test_taking_a_client_id_does_not_push_its_owner_off(node_a: Client, place: Place, bus: Bus) -> None:
    thief = Client(place, place.identity(B), A)
    assert thief.next("connect") == "Success"
    assert thief.publish(topics.up_record(A, "modem.urgent")) == "Not authorized"
    assert node_a.publish(topics.up_record(A, "modem.urgent")) == "Success"
    thief.close()


def test_an_operators_client_reads_alerts_and_does_nothing_else(place: Place, bus: Bus) -> None:
    client = Client(place, None, "rina-phone", operator="rina-phone")
    assert client.next("connect") == "Success"
    client.subscribe("#")
    assert client.publish(topics.alert(IncidentId("x"))) == "Not authorized"
    bus.publish(topics.down_command(A), b"secret").result(5)
    bus.publish(topics.alert(IncidentId("x")), b"fire", retain=True).result(5)
    assert client.next("message") == (topics.alert(IncidentId("x")), b"fire")
    client.close()


def test_a_wrong_password_is_refused(place: Place, bus: Bus) -> None:
    client = Client(place, None, "budi-phone", operator="budi-phone")
    assert "Not authorized" in client.next("connect")
    client.close()


def test_unacknowledged_messages_come_again_after_the_broker_is_killed(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    child = broker.Broker("mosquitto", broker.write(place.settings))
    bus = place.bus()
    with running(bus):
        with running(child):
            until(lambda: bus.connection, 15)
            client = Client(place, place.identity(A), A)
            assert client.publish(topics.up_record(A, "modem.urgent")) == "Success"
            first = bus.incoming.get(timeout=5)
            client.close()
        until(lambda: not bus.connection, 10)
        with pytest.raises(BrokerAway):
            bus.publish("siaga/v1/alert/x", b"").result(1)
        with running(broker.Broker("mosquitto", broker.write(place.settings))):
            until(lambda: bus.connection == 2, 15)
            again = bus.incoming.get(timeout=5)
            assert (again.topic, again.payload) == (first.topic, first.payload)
            bus.acknowledge([first])  # of an earlier connection: must not confirm anything on this one
            bus.acknowledge([again])


def test_the_bus_does_not_read_while_ingest_is_behind(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    child = broker.Broker("mosquitto", broker.write(place.settings))
    bus = place.bus()
    bus._incoming_most = 50  # a bound that a test can reach
    with running(child, bus):
        until(lambda: bus.connection, 15)
        client = Client(place, place.identity(A), A)
        client.next("connect")
        for _ in range(1000):
            client._client.publish(topics.up_record(A, "modem.bulk"), b"x" * 2000, qos=1)
        for _ in range(1000):
            client.next("publish")
        assert bus.incoming.qsize() < 200
        seen = 0
        while seen < 1000:
            bus.acknowledge([bus.incoming.get(timeout=10)])
            seen += 1
        client.close()


def test_the_broker_ends_with_the_hub(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    child = broker.Broker("mosquitto", broker.write(place.settings))
    with running(child):
        until(lambda: child._process is not None)
        assert child._process is not None
        pid = child._process.pid
        os.kill(pid, signal.SIGHUP)
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
