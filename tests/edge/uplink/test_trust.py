"""The broker carries and is not believed: what the hub has not signed moves nothing on the node."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec import Raw, Struct

from siaga_core.service.clock import Boot, SystemClock
from siaga_core.service.signing import Signer
from siaga_core.wire import health, topics
from siaga_core.wire.announcement import Announcement
from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.envelope import Ack, BadRecord, Mark, encode
from siaga_core.wire.health import ServiceState
from siaga_core.wire.want import Want
from siaga_edge.inbox import Inbox
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.uplink.ledger import Ledger
from siaga_edge.uplink.trust import HubTrust
from support.clock import FakeClock
from support.pki import Authority
from support.uplink import NODE, Broker, StandInHub, start_uplink, write_config
from support.waiting import until


@dataclass
class Scene:
    """A node whose uplink runs against a real broker and an honest hub."""

    folder: Path
    authority: Authority
    hub: StandInHub
    journal: Journal

    def append(self, text: str) -> int:
        state = ServiceState(service="modem", level="ok", code="test", detail=text)
        return self.journal.append(health.SERVICE_KIND, state)

    def mark(self) -> int:
        """What the node believes to be at the hub."""
        found = read_marks(self.folder / "data" / "delivery.db")
        return next((upto for stream, _, upto in found if stream == "modem.urgent"), 0)

    def told(self, code: str) -> bool:
        """Whether the node has told its hub of something."""
        return any(f'"code":"{code}"'.encode() in body for _, _, body in self.hub.bodies)

    def say_as(self, signer: Signer, topic: str, message: Struct) -> None:
        """What somebody who rules the broker can do."""
        self.hub.client.publish(topic, signer.seal(topic, encode(message)), qos=1)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    authority = Authority(tmp_path / "pki")
    broker = Broker(tmp_path, authority)
    config = write_config(tmp_path, broker.port, authority, authority.issue(NODE))
    journal = Journal(
        tmp_path / "data" / "journal-modem.db", SystemClock(), Boot(1, "b"), extra_schema=EXTRA_SCHEMA
    )
    hub = StandInHub(broker.port, authority)
    uplink = start_uplink(config)
    yield Scene(tmp_path, authority, hub, journal)
    uplink.kill()
    uplink.wait()
    hub.stop()
    journal.close()
    broker.kill()


def ack(scene: Scene, upto: int, generation: str = "life-one", *, whole: bool = False) -> Ack:
    mark = Mark(stream="modem.urgent", epoch=scene.journal.epoch, upto=upto)
    return Ack(node=NODE, generation=generation, marks=[mark], whole=whole)


def order(id: str) -> Command:
    now_ms = time.time_ns() // 1_000_000
    text = SendSms(to="+62811", text="x")
    return Command(
        id=id,
        node=NODE,
        service="modem",
        order=text,
        issued_ms=now_ms,
        expires_ms=now_ms + 60_000,
        issuer="op",
    )


def test_a_forged_acknowledgement_moves_no_mark_and_is_told(scene: Scene) -> None:
    scene.append("one")
    until(lambda: scene.mark() == 1, 15)
    scene.hub.deaf = True
    for _ in range(5):
        scene.append("only here")
    forger = Signer(ec.generate_private_key(ec.SECP256R1()))
    scene.say_as(forger, topics.down_ack(NODE), ack(scene, 6))
    until(lambda: scene.told("uplink.stranger"), 15)
    assert scene.mark() == 1
    scene.hub.client.publish(topics.down_ack(NODE), encode(ack(scene, 6)), qos=1)
    time.sleep(0.1)
    assert scene.mark() == 1
    scene.hub.deaf = False
    scene.append("and one more")
    until(lambda: scene.mark() == 7, 15)


def test_an_acknowledgement_meant_for_another_topic_is_forged(scene: Scene) -> None:
    scene.append("one")
    until(lambda: scene.mark() == 1, 15)
    elsewhere = scene.hub.signer.seal(topics.down_command(NODE), encode(ack(scene, 1)))
    scene.hub.client.publish(topics.down_ack(NODE), elsewhere, qos=1)
    until(lambda: scene.told("uplink.forged"), 15)


def test_a_forged_command_is_not_carried_out_and_a_signed_one_once(scene: Scene) -> None:
    scene.append("one")
    until(lambda: scene.mark() == 1, 15)
    scene.say_as(Signer(ec.generate_private_key(ec.SECP256R1())), topics.down_command(NODE), order("forged"))
    until(lambda: scene.told("uplink.stranger"), 15)
    for _ in range(3):
        scene.hub.say(topics.down_command(NODE), order("signed"))
    until(lambda: any(b'"id":"signed"' in body for _, _, body in scene.hub.bodies), 15)
    inbox = Inbox(scene.folder / "data" / "inbox.db", "modem", scene.journal)
    assert [waiting.id for waiting in inbox.waiting(time.time_ns())] == ["signed"]
    inbox.close()


def test_desired_state_converges_and_never_goes_back(scene: Scene) -> None:
    scene.append("one")
    until(lambda: scene.mark() == 1, 15)

    def wish(version: int) -> Want:
        body = Raw(b'{"version":%d}' % version)
        return Want(node=NODE, service="modem", name="roster", version=version, body=body)

    for version in (1, 3, 2, 3):
        scene.hub.say(topics.down_want(NODE, "roster"), wish(version), retain=True)
    until(lambda: sum(b'"state":"taken"' in body for _, _, body in scene.hub.bodies) == 2, 15)
    inbox = Inbox(scene.folder / "data" / "inbox.db", "modem", scene.journal)
    assert inbox.wants()["roster"].version == 3
    inbox.close()


def test_a_restored_hub_gets_again_what_it_lacks(scene: Scene) -> None:
    for number in range(20):
        scene.append(f"n{number}")
    until(lambda: scene.mark() == 20, 15)
    key = ("modem.urgent", scene.journal.epoch)
    scene.hub.keys[key] = set(range(1, 6))  # the backup is older than records 6 to 20
    scene.hub.bodies.clear()
    scene.hub.generation, scene.hub.since_ms = "life-two", 2
    scene.hub.announce(scene.hub.client)
    scene.hub._acknowledge(scene.hub.client, whole=True)
    until(lambda: scene.hub.keys[key] == set(range(1, 21)), 15)
    until(lambda: scene.mark() == 20, 15)
    assert scene.told("uplink.restored")


def roster_wish(version: int) -> Want:
    return Want(node=NODE, service="modem", name="roster", version=version, body=Raw(b'{"version":1}'))


def test_what_the_hub_left_before_the_node_ever_heard_it_is_taken_without_alarm(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "pki")
    broker = Broker(tmp_path, authority)
    hub = StandInHub(broker.port, authority)
    hub.say(topics.down_want(NODE, "roster"), roster_wish(1), retain=True)
    uplink = start_uplink(write_config(tmp_path, broker.port, authority, authority.issue(NODE)))
    try:
        until(lambda: any(b'"state":"taken"' in body for _, _, body in hub.bodies), 15)
        assert not any(b"uplink.stranger" in body for _, _, body in hub.bodies)
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()
        broker.kill()


def test_what_comes_before_the_announcement_is_judged_after_it(tmp_path: Path) -> None:
    """The broker may hand out what it likes first; what no seal can tell apart yet waits, forged or not."""
    authority = Authority(tmp_path / "pki")
    broker = Broker(tmp_path, authority)
    hub = StandInHub(broker.port, authority)
    hub.client.publish(topics.DOWN_HUB, b"", qos=1, retain=True)  # the hub has not announced itself
    hub.say(topics.down_want(NODE, "roster"), roster_wish(1), retain=True)
    forger = Signer(ec.generate_private_key(ec.SECP256R1()))
    forged = topics.down_want(NODE, "other")
    hub.client.publish(forged, forger.seal(forged, b"{}"), qos=1, retain=True)
    uplink = start_uplink(write_config(tmp_path, broker.port, authority, authority.issue(NODE)))
    try:
        until(lambda: any(b'"online":true' in told for told in hub.presence), 15)
        time.sleep(0.1)
        assert not any(b"uplink.stranger" in body for _, _, body in hub.bodies)
        hub.announce(hub.client)
        until(lambda: any(b'"state":"taken"' in body for _, _, body in hub.bodies), 15)
        until(lambda: any(b"uplink.stranger" in body for _, _, body in hub.bodies), 15)
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()
        broker.kill()


def test_an_alarm_about_a_desired_state_ends_when_the_hubs_own_stands_there_again(scene: Scene) -> None:
    scene.append("one")
    until(lambda: scene.mark() == 1, 15)
    forger = Signer(ec.generate_private_key(ec.SECP256R1()))
    scene.say_as(forger, topics.down_want(NODE, "roster"), roster_wish(9))
    until(lambda: scene.told("uplink.stranger"), 15)
    scene.hub.say(topics.down_want(NODE, "roster"), roster_wish(1), retain=True)

    def levels() -> list[bool]:
        return [b'"level":"ok"' in body for _, _, body in scene.hub.bodies if b"uplink.stranger" in body]

    until(lambda: levels() == [False, True], 15)


# -- without a broker ------------------------------------------------------------------------------------


def announcement(authority: Authority, since_ms: int, generation: str = "g") -> tuple[bytes, Signer]:
    chain, key = authority.signing()
    signer = Signer(key)
    said = Announcement(generation=generation, since_ms=since_ms, chain_pem=chain)
    return signer.seal(topics.DOWN_HUB, encode(said)), signer


def heard(trust: HubTrust, payload: bytes) -> str:
    """Why an announcement is not believed; empty if it is."""
    try:
        trust.hear(payload)
    except BadRecord as error:
        return error.reason
    return ""


def test_only_the_pinned_root_makes_a_hub(tmp_path: Path, clock: FakeClock) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    ledger = Ledger(tmp_path / "delivery.db", clock)
    trust = HubTrust(ours.ca_file, ledger)
    assert heard(trust, announcement(theirs, 1)[0]) == "stranger"
    good, signer = announcement(ours, 1)
    stolen = Announcement(generation="g", since_ms=1, chain_pem=ours.signing()[0])
    assert heard(trust, signer.seal(topics.DOWN_HUB, encode(stolen))) == "forged"
    assert heard(trust, good) == ""
    assert trust.open("t", signer.seal("t", b"{}")) == b"{}"
    ledger.close()


def test_an_old_key_does_not_come_back_not_even_after_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    authority = Authority(tmp_path / "pki")
    ledger = Ledger(tmp_path / "delivery.db", clock)
    old, old_signer = announcement(authority, 1)
    new, new_signer = announcement(authority, 2)
    trust = HubTrust(authority.ca_file, ledger)
    assert (heard(trust, old), heard(trust, new), heard(trust, old)) == ("", "", "old")
    again = HubTrust(authority.ca_file, ledger)
    assert heard(again, old) == "old"
    assert again.open("t", new_signer.seal("t", b"{}")) == b"{}"
    with pytest.raises(BadRecord, match="not known here"):
        again.open("t", old_signer.seal("t", b"{}"))
    ledger.close()


def test_a_nodes_certificate_announces_no_hub(tmp_path: Path, clock: FakeClock) -> None:
    authority = Authority(tmp_path / "pki")
    ledger = Ledger(tmp_path / "delivery.db", clock)
    pair = authority.issue("node-two")
    chain = pair.certificate.read_text() + authority.ca_file.read_text()
    said = Announcement(generation="g", since_ms=9, chain_pem=chain)
    payload = Signer.load(pair.key).seal(topics.DOWN_HUB, encode(said))
    assert heard(HubTrust(authority.ca_file, ledger), payload) == "stranger"
    ledger.close()
