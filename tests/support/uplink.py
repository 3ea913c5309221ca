"""The other side of an uplink: a real mosquitto with mTLS, and an honest small hub."""

import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from msgspec import Struct
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from siaga_core.service.signing import Signer
from siaga_core.wire import seal, topics
from siaga_core.wire.announcement import Announcement
from siaga_core.wire.envelope import (
    BATCH_MAX_BYTES,
    PAYLOAD_MAX_BYTES,
    Ack,
    Mark,
    decode_batch,
    encode,
)
from siaga_core.wire.ids import node_id
from support.pki import Authority, Pair
from support.waiting import free_port, until

NODE = node_id("node-one")


class Broker:
    """mosquitto in its own process; `kill` is -9."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.port = free_port()
        server = authority.issue("broker")
        acl = folder / "acl"
        acl.write_text(
            "user hub\ntopic readwrite siaga/v1/#\n"
            "pattern write siaga/v1/up/%u/#\npattern read siaga/v1/down/%u/#\n"
            "pattern read siaga/v1/down/all/#\n"
        )
        self.config, self.acl = folder / "mosquitto.conf", acl
        self.config.write_text(
            f"listener {self.port} 127.0.0.1\ncafile {authority.ca_file}\ncertfile {server.certificate}\n"
            f"keyfile {server.key}\nrequire_certificate true\nuse_identity_as_username true\n"
            f"acl_file {acl}\nallow_anonymous false\npersistence false\nmax_queued_messages 0\nuser root\n"
        )
        self.log = folder / "mosquitto.log"
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.config)], stdout=log, stderr=log)
        until(lambda: self._listens(), because="mosquitto listens")

    def _listens(self) -> bool:
        import socket

        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class StandInHub:
    """Keeps every key it was given and, unless `deaf`, acknowledges the contiguous mark after that."""

    def __init__(
        self, port: int, authority: Authority, *, deaf: bool = False, generation: str = "life-one"
    ) -> None:
        pair = authority.issue("hub")
        self.chain_pem, key = authority.signing()
        self.signer, self.generation, self.since_ms = Signer(key), generation, 1
        self._port, self._authority, self._pair = port, authority, pair
        self.keys: dict[tuple[str, str], set[int]] = {}
        self.bodies: list[tuple[float, str, bytes]] = []
        self.presence: list[bytes] = []
        self.sizes: list[tuple[str, int]] = []
        self.missing: list[tuple[str, int, int]] = []
        self.deaf = deaf
        self.start()

    def start(self) -> None:
        client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id="hub", protocol=MQTTProtocolVersion.MQTTv5
        )
        context = ssl.create_default_context(cafile=str(self._authority.ca_file))
        context.load_cert_chain(self._pair.certificate, self._pair.key)
        client.tls_set_context(context)
        client.reconnect_delay_set(1, 1)
        self.ready = False
        client.on_connect = lambda c, *_: self._greet(c)
        client.on_subscribe = lambda *_: setattr(self, "ready", True)
        client.on_message = self._take
        client.connect("127.0.0.1", self._port, 10)
        client.loop_start()
        self.client = client
        until(lambda: self.ready, because="the stand-in hub listens")

    def _greet(self, client: paho.Client) -> None:
        client.subscribe(topics.UP_FILTER, qos=1)
        self.announce(client)

    def announce(self, client: paho.Client) -> None:
        said = Announcement(generation=self.generation, since_ms=self.since_ms, chain_pem=self.chain_pem)
        client.publish(topics.DOWN_HUB, self.signer.seal(topics.DOWN_HUB, encode(said)), qos=1, retain=True)

    def say(self, topic: str, message: Struct, *, retain: bool = False) -> None:
        """Publish something sealed, as the hub does."""
        self.client.publish(topic, self.signer.seal(topic, encode(message)), qos=1, retain=retain)

    def vanish(self) -> None:
        """As if killed: no goodbye, nothing acknowledged any more; what it had committed stays."""
        socket: Any = self.client.socket()
        self.client.on_message = None
        self.client.loop_stop()
        if socket is not None:
            socket.close()

    def stop(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _take(self, client: paho.Client, _userdata: Any, message: paho.MQTTMessage) -> None:

        up = topics.parse_up(message.topic)
        if up.stream is None:
            self.presence.append(bytes(message.payload))
            if not self.deaf and b'"online":true' in self.presence[-1]:
                self._acknowledge(client, whole=True)
            return
        sealed = seal.unpack(bytes(message.payload), PAYLOAD_MAX_BYTES)
        self.sizes.append((up.stream, len(message.payload)))
        batch = decode_batch(seal.expand(sealed, BATCH_MAX_BYTES), node=up.node, stream=up.stream)
        kept = self.keys.setdefault((batch.stream, batch.epoch), set())
        for record in batch.records:
            self.bodies.append((time.monotonic(), up.stream, bytes(record.body)))
            kept.add(record.seq)
        self.missing += [(up.stream, *span) for span in batch.missing()]
        kept.update(seq for first, last in batch.missing() for seq in range(first, last + 1))
        if not self.deaf:
            self._acknowledge(client)

    def _acknowledge(self, client: paho.Client, *, whole: bool = False) -> None:
        marks = []
        for (stream, epoch), kept in self.keys.items():
            upto = 0
            while upto + 1 in kept:
                upto += 1
            marks.append(Mark(stream=stream, epoch=epoch, upto=upto))
        ack = Ack(node=NODE, generation=self.generation, marks=marks, whole=whole)
        topic = topics.down_ack(NODE)
        client.publish(topic, self.signer.seal(topic, encode(ack)), qos=1)


def write_config(folder: Path, port: int, authority: Authority, pair: Pair, gateway: str = "") -> Path:
    """A node's config with a modem, so that commands for it are taken."""
    path = folder / "node.toml"
    path.write_text(
        f'[node]\nid = "{NODE}"\nsite = "Batam"\ndata_dir = "{folder}/data"\nrun_dir = "{folder}/run"\n'
        f'[hub]\nbroker_host = "127.0.0.1"\nbroker_port = {port}\n'
        f'gateway_url = "{gateway or "https://127.0.0.1:1"}"\nca_file = "{authority.ca_file}"\n'
        f'certificate_file = "{pair.certificate}"\nkey_file = "{pair.key}"\n'
        f'[modem]\nport = "{folder}/no-modem"\n'
    )
    (folder / "data").mkdir(exist_ok=True)
    (folder / "run").mkdir(exist_ok=True)
    return path


def start_uplink(config: Path) -> subprocess.Popen[bytes]:
    """The uplink as systemd would start it."""
    return subprocess.Popen([sys.executable, "-m", "siaga_edge.uplink", "--config", str(config)])
