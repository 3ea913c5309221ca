"""A revoked node is off within seconds; its neighbour notices nothing."""

import queue
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from siaga_central.bus import broker
from siaga_central.bus.client import BrokerAway, cut_off
from siaga_core.wire import topics
from siaga_core.wire.ids import node_id
from support.hub import Identity, Place, make_place, running
from support.waiting import until

A, B = node_id("node-a"), node_id("node-b")
PASSWORD = "of this run alone"


class Node:
    """A node's client that says when it was let in and when it was thrown out."""

    def __init__(self, place: Place, name: str, identity: Identity) -> None:
        self.news: queue.Queue[str] = queue.Queue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        context = ssl.create_default_context(cafile=str(place.authority.ca_file))
        context.load_cert_chain(identity.certificate_file, identity.key_file)
        self.client.tls_set_context(context)
        self.client.on_connect = lambda *_: self.news.put("in")
        self.client.on_disconnect = lambda *_: self.news.put("out")
        self.client.on_publish = lambda *_: self.news.put("published")
        self.client.connect("127.0.0.1", place.settings.port, 30)
        self.client.loop_start()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return make_place(tmp_path)


@pytest.fixture(autouse=True)
def child(place: Place) -> Iterator[broker.Broker]:
    made = broker.Broker("mosquitto", broker.write(place.settings))
    broker.set_cutting_password(place.settings.folder, PASSWORD)
    with running(made):
        until(lambda: _answers(place), 10, because="the broker answers")
        yield made


def _answers(place: Place) -> bool:
    try:
        cut_off(place.settings.cutting_port, place.authority.ca_file, "nobody", broker.CUTTER, PASSWORD)
    except BrokerAway:
        return False
    return True


def cut(place: Place, node: str, password: str = PASSWORD) -> None:
    cut_off(place.settings.cutting_port, place.authority.ca_file, node, broker.CUTTER, password)


def test_a_node_that_is_cut_off_is_out_at_once_and_no_other(place: Place) -> None:
    stolen, neighbour = (Node(place, name, place.identity(name)) for name in (A, B))
    assert stolen.news.get(timeout=5) == neighbour.news.get(timeout=5) == "in"
    began_s = time.monotonic()
    cut(place, A)
    assert stolen.news.get(timeout=5) == "out"
    assert time.monotonic() - began_s < 5
    neighbour.client.publish(topics.up_record(B, "modem.urgent"), b"x", qos=1)
    assert neighbour.news.get(timeout=5) == "published"
    stolen.close()
    neighbour.close()


def test_a_revoked_node_does_not_come_back(place: Place, child: broker.Broker) -> None:
    identity = place.identity(A)
    node = Node(place, A, identity)
    assert node.news.get(timeout=5) == "in"
    place.authority.write_crl([(identity.serial, 1)], datetime.now(UTC))
    child.reload()
    cut(place, A)
    assert node.news.get(timeout=5) == "out"
    node.close()
    try:
        again = Node(place, A, identity)
    except (ssl.SSLError, OSError):
        return
    assert again.news.get(timeout=5) == "out", "TLS 1.3 tells the client only after its handshake"
    again.close()


def test_cutting_needs_the_password_of_this_run(place: Place) -> None:
    node = Node(place, A, place.identity(A))
    assert node.news.get(timeout=5) == "in"
    with pytest.raises(BrokerAway, match="Not authorized"):
        cut(place, A, "guess")
    assert node.news.empty()
    node.close()
