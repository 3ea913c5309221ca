"""The uplink against a real broker: what is delivered, after what has been killed."""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire import health, topics
from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.health import ServiceState
from siaga_edge.inbox import WakeSocket
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from support.pki import Authority
from support.uplink import NODE, Broker, StandInHub, start_uplink, write_config
from support.waiting import until


@dataclass
class Site:
    folder: Path
    authority: Authority
    broker: Broker
    config: Path
    journal: Journal

    def append(self, text: str, lane: str = "urgent") -> int:
        state = ServiceState(service="modem", level="ok", code="test", detail=text)
        return self.journal.append(health.SERVICE_KIND, state, "urgent" if lane == "urgent" else "bulk")

    def marks(self) -> dict[str, int]:
        """Marks of the modem's streams; the uplink has records of its own."""
        found = read_marks(self.folder / "data" / "delivery.db")
        return {stream: upto for stream, _, upto in found if stream.startswith("modem.")}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    authority = Authority(tmp_path / "pki")
    broker = Broker(tmp_path, authority)
    config = write_config(tmp_path, broker.port, authority, authority.issue(NODE))
    journal = Journal(tmp_path / "data" / "journal-modem.db", SystemClock(), Boot(1, "boot"))
    yield Site(tmp_path, authority, broker, config, journal)
    journal.close()
    broker.kill()


def test_nothing_is_lost_when_uplink_broker_and_hub_are_killed_in_a_burst(site: Site) -> None:
    hub = StandInHub(site.broker.port, site.authority)
    uplink = start_uplink(site.config)
    try:
        for number in range(300):
            site.append(f"n{number}", "urgent" if number % 2 else "bulk")
            if number == 80:
                uplink.kill()
                uplink.wait()
                uplink = start_uplink(site.config)
            if number == 160:
                hub.vanish()
            if number == 180:
                site.broker.kill()
                site.broker.start()
            if number == 200:
                hub.start()
        until(lambda: site.marks() == {"modem.urgent": 150, "modem.bulk": 150}, 30)
        for stream in ("modem.urgent", "modem.bulk"):
            assert hub.keys[stream, site.journal.epoch] == set(range(1, 151))
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()


def test_a_puback_is_not_delivery(site: Site) -> None:
    """The broker takes the record and dies before any hub has it; it must come again."""
    hub = StandInHub(site.broker.port, site.authority, deaf=True)
    uplink = start_uplink(site.config)
    try:
        site.append("only in the broker")
        until(lambda: hub.bodies, because="the broker passed it on, so it had PUBACKed")
        assert site.marks() == {}
        hub.vanish()
        site.broker.kill()
        site.broker.start()
        hub.keys.clear()
        hub.deaf = False
        hub.start()
        until(lambda: site.marks() == {"modem.urgent": 1}, 20)
        assert hub.keys["modem.urgent", site.journal.epoch] == {1}
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()


def test_an_appended_record_reaches_the_hub_within_milliseconds(site: Site) -> None:
    hub = StandInHub(site.broker.port, site.authority)
    uplink = start_uplink(site.config)
    try:
        site.append("warm")
        until(lambda: site.marks(), 15)
        delays_ms = []
        for number in range(20):
            start_s, before = time.monotonic(), len(hub.bodies)
            site.append(f"n{number}")
            until(lambda before=before: len(hub.bodies) > before)  # type: ignore[misc]
            delays_ms.append((hub.bodies[before][0] - start_s) * 1000)
        print(f"append to hub p50 {statistics.median(delays_ms):.1f} ms, most {max(delays_ms):.1f} ms")
        assert statistics.median(delays_ms) < 100
    finally:
        uplink.terminate()
        assert uplink.wait(10) == 0
        until(lambda: b'"online":false' in hub.presence[-1], because="the will says goodbye")
        hub.stop()


def test_a_topic_that_the_broker_denies_is_noticed_and_reported(site: Site) -> None:
    site.broker.acl.write_text(
        "user hub\ntopic readwrite siaga/v1/#\n"
        "user node-one\ntopic write siaga/v1/up/node-one/state\n"
        "topic write siaga/v1/up/node-one/rec/uplink.urgent\ntopic read siaga/v1/down/node-one/#\n"
        "topic read siaga/v1/down/all/#\n"
    )
    site.broker.kill()
    site.broker.start()
    hub = StandInHub(site.broker.port, site.authority)
    uplink = start_uplink(site.config)
    try:
        site.append("denied")
        until(lambda: any(b"uplink.denied" in body for _, _, body in hub.bodies), 15)
        assert "modem.urgent" not in site.marks()
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()


def test_a_command_is_in_the_inbox_and_the_service_woken_before_it_is_called_received(site: Site) -> None:
    hub = StandInHub(site.broker.port, site.authority)
    bell = WakeSocket(site.folder / "run" / "modem.sock")
    uplink = start_uplink(site.config)
    try:
        until(lambda: hub.presence, 15)
        now_ms = time.time_ns() // 1_000_000
        order = Command(
            id="c1", node=NODE, service="modem", order=SendSms(to="+62811", text="x"),
            issued_ms=now_ms, expires_ms=now_ms + 60_000, issuer="op",
        )  # fmt: skip
        for _ in range(2):
            hub.say(topics.down_command(NODE), order)
        hub.client.publish(topics.down_command(NODE), b"nonsense", qos=1)
        outcome = b'"id":"c1","state":"received"'
        until(lambda: sum(outcome in body for _, _, body in hub.bodies) >= 2, 10)
        until(lambda: any(b"uplink.seal" in body for _, _, body in hub.bodies), 10)
        assert bell.wait(1)
    finally:
        bell.close()
        uplink.kill()
        uplink.wait()
        hub.stop()


def test_what_had_to_be_shed_is_declared_and_holds_nothing_up(site: Site) -> None:
    for number in range(5):
        site.append(f"n{number}", "bulk")
    site.journal.prune([], shed_above_bytes=0)
    site.append("after", "bulk")
    hub = StandInHub(site.broker.port, site.authority)
    uplink = start_uplink(site.config)
    try:
        until(lambda: site.marks() == {"modem.bulk": 6}, 15)
        assert hub.missing == [("modem.bulk", 1, 5)]
    finally:
        uplink.kill()
        uplink.wait()
        hub.stop()
