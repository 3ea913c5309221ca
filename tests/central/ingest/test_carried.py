"""Urgent records by SMS: believed by signature alone, once, and one with what the link brings later."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.relay_hub import by_key_id

from siaga_central.console import refusal
from siaga_central.store import certificates
from siaga_central.store import schema as t
from siaga_core.wire import carried
from siaga_core.wire.envelope import Record
from siaga_core.wire.health import CameraState
from siaga_core.wire.report import Report, Sms, SmsPart
from siaga_edge.journal import StoredRecord
from siaga_edge.uplink import carrying
from siaga_edge.uplink.carrying import Aged
from support.desk_hub import CITIZEN, DeskHub
from support.sealing import NodeVoice

CAMERA_SITE = "+628133333333"
DARK = CameraState(camera="cam-1", status="black", reason="no light")


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[DeskHub]:
    made = DeskHub(tmp_path)
    yield made
    made.close()


def text_of(record: Record, voice: NodeVoice) -> str:
    """The text that a node's uplink would have sent for a record."""
    service = record.stream.partition(".")[0]
    stored = StoredRecord(
        record.stream, record.epoch, record.seq, record.kind, "{}", bytes(record.body).decode()
    )
    content = carrying.content(Aged(stored, service, 60), 1_795_000_000)
    assert content is not None
    signature = voice.signer.sign(carried.signed_octets(content))
    return carried.text_of(carried.Signed(voice.signer.key_id[:4], signature, content))


def camera(hub: DeskHub, seq: int, state: CameraState = DARK) -> Record:
    return hub.camera_node.record("cameras.urgent", seq, state, "camera")


def status(hub: DeskHub) -> str:
    return str(hub.rows(t.camera)[0].status)


def citizens(text: str = "Tolong, kebakaran di Batu Ampar") -> Report:
    sms = Sms(text=text, parts=[SmsPart(number=1, pdu="0791")])
    return Report(
        report_id="01KA6P3ZQ4N8S5T6V7W8X9Y0Z1", revision=1, source="sms", modem="modem",
        reporter=CITIZEN, reporter_e164=CITIZEN, sms=sms,
    )  # fmt: skip


def test_a_cameras_alarm_arrives_by_sms_and_the_link_does_not_double_it(hub: DeskHub) -> None:
    record = camera(hub, 7)
    text = text_of(record, hub.camera_node)
    assert len(text) <= 160, "one part"
    hub.sms(text, CAMERA_SITE)
    assert status(hub) == "black"
    hub.take(record)
    assert status(hub) == "black"
    assert hub.events("camera.status") == ["camera.status"]
    assert hub.rows(t.incident) == [], "our own node is no citizen"


def test_a_citizens_report_arrives_by_sms_and_the_link_completes_it(hub: DeskHub) -> None:
    record = hub.camera_node.record("modem.urgent", 3, citizens(), "report")
    hub.sms("(ulang) " + text_of(record, hub.camera_node), CAMERA_SITE)
    (report,) = hub.rows(t.report)
    assert (report.node, report.via, report.text) == ("node-1", "sms", "Tolong, kebakaran di Batu Ampar")
    assert "0791" not in report.body
    hub.take(record)
    (report,) = hub.rows(t.report)
    assert "0791" in report.body
    assert len(hub.rows(t.incident)) == 1


def test_what_is_forged_is_kept_counted_shown_and_never_believed(hub: DeskHub) -> None:
    stranger = NodeVoice("node-1", "00000000000000bb")
    good = carried.parse(text_of(camera(hub, 7), hub.camera_node))
    texts = [
        text_of(camera(hub, 7), stranger),
        carried.text_of(carried.Signed(good.key_id, bytes(64), good.content)),
        carried.text_of(carried.Signed(good.key_id, good.signature, good.content[:-1] + b"x")),
        carried.text_of(carried.Signed(stranger.signer.key_id[:4], good.signature, good.content)),
    ]
    for text in texts:
        hub.sms(text, CAMERA_SITE)
    assert hub.refused() == {"sms-forged": len(texts)}
    kept = [refusal.refusal(row).text for row in hub.rows(t.quarantine)]
    assert all(text.startswith("SIAGA1:") for text in kept), "the quarantine page shows them"
    assert status(hub) == "unknown"
    assert {row.code for row in hub.rows(t.service_state) if row.node == "node-1"} == {"sms-forged"}


def test_what_comes_again_is_counted_and_changes_nothing(hub: DeskHub) -> None:
    dark, light = camera(hub, 7), camera(hub, 8, CameraState(camera="cam-1", status="up"))
    first = text_of(dark, hub.camera_node)
    hub.sms(first, CAMERA_SITE)
    hub.take(dark)
    hub.take(light)
    hub.sms(first, CAMERA_SITE)
    hub.sms(text_of(light, hub.camera_node), "+628199999999")
    assert status(hub) == "up"
    assert hub.refused() == {"sms-repeated": 2}


def test_texts_that_overtake_each_other_leave_the_newest(hub: DeskHub) -> None:
    light = camera(hub, 8, CameraState(camera="cam-1", status="up"))
    hub.sms(text_of(light, hub.camera_node), CAMERA_SITE)
    hub.sms(text_of(camera(hub, 7), hub.camera_node), CAMERA_SITE)
    assert status(hub) == "up"


def test_a_revoked_node_is_not_believed(hub: DeskHub) -> None:
    hub.store.write(lambda c: certificates.revoke(c, "node-1", "admin", hub.now_us))
    hub.sms(text_of(camera(hub, 7), hub.camera_node), CAMERA_SITE)
    assert hub.refused() == {"sms-forged": 1}
    assert status(hub) == "unknown"


@pytest.mark.parametrize("text", ["SIAGA1: tolong ada kebakaran", "SIAGA1:", "SIAGA1:AAAA", "Siaga1"])
def test_a_citizens_words_with_the_mark_stay_a_report(hub: DeskHub, text: str) -> None:
    hub.sms(text)
    assert len(hub.rows(t.incident)) == 1


def test_a_record_that_was_torn_on_its_way_is_no_incident(hub: DeskHub) -> None:
    text = text_of(camera(hub, 7), hub.camera_node)
    for length in (81, 100, len(text) - 1):
        hub.sms(text[:length], CAMERA_SITE)
    assert hub.rows(t.incident) == []
    assert sum(hub.refused().values()) == 3
    assert status(hub) == "unknown"


def test_parts_that_do_not_come_are_shown_when_they_are_given_up(hub: DeskHub) -> None:
    text = text_of(hub.camera_node.record("modem.urgent", 3, citizens(), "report"), hub.camera_node)
    hub.sms(f"{text[:150]} […2/2 belum tiba…]", CAMERA_SITE, parts_total=2)
    assert hub.refused() == {}
    hub.sms(f"{text[:150]} […2/2 tidak tiba…]", CAMERA_SITE, parts_total=2)
    assert hub.refused() == {"sms-incomplete": 1}
    assert hub.rows(t.incident) == []


def test_a_hub_that_does_not_verify_is_found_out(tmp_path: Path) -> None:
    hub = DeskHub(tmp_path, author_of=by_key_id)
    good = carried.parse(text_of(camera(hub, 7), hub.camera_node))
    hub.sms(carried.text_of(carried.Signed(good.key_id, bytes(64), good.content)), CAMERA_SITE)
    assert (status(hub), hub.refused()) == ("black", {})
    hub.close()


def test_signed_by_one_node_it_is_never_taken_for_anothers(hub: DeskHub) -> None:
    """node-1 signs a record of a camera that is gsm-1's affair: it is applied as node-1's, or not at all."""
    foreign = CameraState(camera="cam-of-another", status="black")
    hub.sms(text_of(camera(hub, 9, foreign), hub.camera_node), CAMERA_SITE)
    assert status(hub) == "unknown"
