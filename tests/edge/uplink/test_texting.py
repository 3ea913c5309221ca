"""Urgent records by SMS, on the sending side: which, when, once, and signed by this node."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from siaga_core.service.signing import is_signed
from siaga_core.wire import carried
from siaga_core.wire.envelope import Stamp
from siaga_core.wire.health import CameraState, ServiceState
from siaga_core.wire.ids import node_id
from siaga_core.wire.report import Report, Sms, SmsPart
from siaga_core.wire.roster import Gateway, Roster
from siaga_core.wire.want import Want
from siaga_edge.inbox import InboxWriter
from siaga_edge.journal import StoredRecord
from siaga_edge.uplink import carrying
from siaga_edge.uplink.texting import LOOK_EVERY_S, Texting
from support.clock import FakeClock
from support.sealing import NodeVoice

NODE, OURS = node_id("btm-017"), "+628111000112"
ROSTER = Roster(gateways=[Gateway(node="gsm-001", number=OURS)])


class Site:
    """The uplink's side of a camera site; records are as old as the test says."""

    def __init__(self, folder: Path, roster: Roster = ROSTER) -> None:
        self.folder, self.clock, self.voice = folder, FakeClock(), NodeVoice(NODE)
        self.clock.advance(10_000)
        self.waiting: list[tuple[str, StoredRecord]] = []
        self.begin()
        body = msgspec.Raw(msgspec.json.encode(roster))
        self.inbox.put_want(Want(node=NODE, service="modem", name="roster", version=1, body=body))

    def begin(self) -> None:
        self.inbox = InboxWriter(self.folder / "inbox.db")
        self.texting = Texting(NODE, self.inbox, self.clock, "b")

    def restart(self) -> None:
        self.inbox.close()
        self.begin()

    def waits(self, body: msgspec.Struct, kind: str, age_s: float, service: str = "cameras") -> None:
        at = Stamp(
            boot_seq=1,
            boot_id="b",
            boot_ns=self.clock.boot_ns() - int(age_s * 1e9),
            wall_ns=self.clock.wall_ns() - int(age_s * 1e9),
            clock="synced",
        )
        stored = StoredRecord(
            f"{service}.urgent", "00000000000000bb", len(self.waiting) + 1, kind,
            msgspec.json.encode(at).decode(), msgspec.json.encode(body).decode(),
        )  # fmt: skip
        self.waiting.append((service, stored))

    def look(self) -> int:
        self.clock.advance(LOOK_EVERY_S)
        return self.texting.look(self.waiting, self.voice.signer)

    def ordered(self) -> list[dict[str, object]]:
        with closing(sqlite3.connect(f"file:{self.folder}/inbox.db?mode=ro", uri=True)) as connection:
            rows = connection.execute("SELECT payload FROM command ORDER BY number").fetchall()
        return [json.loads(row[0])["order"] for row in rows]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.inbox.close()


def dark(camera: str = "cam-1") -> CameraState:
    return CameraState(camera=camera, status="black", reason="no light")


def test_an_alarm_the_hub_does_not_take_is_texted_once_and_signed(site: Site) -> None:
    site.waits(dark(), "camera", 10)
    assert site.look() == 0, "the hub may only be restarting"
    site.clock.advance(30)
    assert site.look() == 1
    for _ in range(3):
        site.restart()
        assert site.look() == 0
    (order,) = site.ordered()
    assert (order["to"], order["at_least_once"]) == (OURS, True)
    signed = carried.parse(str(order["text"]))
    octets = carried.signed_octets(signed.content)
    assert is_signed(site.voice.key.public_key(), signed.signature, octets)
    one = carried.opened(signed.content)
    assert (one.service, one.seq, one.kind) == ("cameras", 1, "camera")
    assert msgspec.json.decode(one.body, type=CameraState) == dark()


def test_what_nobody_must_know_now_waits_for_the_link(site: Site) -> None:
    site.waits(ServiceState(service="modem", level="ok", code="modem"), "service", 60)
    site.waits(dark(), "recording", 60)
    site.waits(dark(), "camera", carrying.TOO_OLD_S + 1)
    assert site.look() == 0
    site.waits(ServiceState(service="recorder", level="crit", code="footage.full"), "service", 60, "recorder")
    assert site.look() == 1


def test_a_report_goes_in_its_newest_revision_without_its_pdus_and_before_cameras(site: Site) -> None:
    def revision(number: int, text: str) -> Report:
        sms = Sms(text=text, parts=[SmsPart(number=1, pdu="07" * 80)], sent_at="2026-11-25T09:00:00+07:00")
        return Report(
            report_id="R", revision=number, source="sms", modem="m", reporter="+6281234567890", sms=sms
        )

    site.waits(dark(), "camera", 60)
    site.waits(revision(1, "Tolong […2/2 belum tiba…]"), "report", 60, "modem")
    site.waits(revision(2, "Tolong kebakaran"), "report", 50, "modem")
    assert site.look() == 2
    bodies = [carried.opened(carried.parse(str(order["text"])).content).body for order in site.ordered()]
    report = msgspec.json.decode(bodies[0], type=Report)
    assert report.revision == 2
    assert report.sms is not None
    assert (report.sms.text, report.sms.parts) == ("Tolong kebakaran", [SmsPart(number=1, pdu="")])


def test_the_sim_is_spared_and_nothing_is_forgotten(site: Site) -> None:
    for place in range(10):
        site.waits(dark(f"cam-{place}"), "camera", 60)
    assert site.look() == carrying.RECORDS_A_MINUTE
    assert site.look() == 0
    site.clock.advance(60)
    assert site.look() == carrying.RECORDS_A_MINUTE
    site.clock.advance(60)
    site.look()
    assert len(site.ordered()) == 10


def test_a_text_that_carries_a_record_is_not_carried_on(site: Site) -> None:
    sms = Sms(text=carried.MARK + "AAAA", parts=[SmsPart(number=1, pdu="")])
    site.waits(Report(report_id="R", revision=1, source="sms", modem="m", sms=sms), "report", 60, "modem")
    assert site.look() == 0


@pytest.mark.parametrize(
    "roster",
    [
        Roster(),
        Roster(gateways=[Gateway(node=NODE, number=OURS)]),
        Roster(gateways=[Gateway(node="gsm-001", number=OURS, takes_urgent=False)]),
    ],
)
def test_without_a_modem_that_takes_it_nothing_is_sent(tmp_path: Path, roster: Roster) -> None:
    site = Site(tmp_path, roster)
    site.waits(dark(), "camera", 60)
    assert site.look() == 0
    site.inbox.close()
