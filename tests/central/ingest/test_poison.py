"""Bytes that are no text stop neither their batch nor the hub."""

from siaga_central.ingest.decision import Refused, decide

TOPIC = "siaga/v1/up/gsm-001/rec/modem.urgent"
RECORD = (
    b'{"v":1,"node":"gsm-001","stream":"modem.urgent","epoch":"00000000000000aa","seq":1,"kind":"report",'
    b'"at":{"boot_seq":1,"boot_id":"b","boot_ns":1,"wall_ns":1,"clock":"synced"},"body":{"a":"\xff\xfe"}}'
)


def test_a_body_that_is_not_utf8_is_refused_before_anything_is_written() -> None:
    decision = decide(TOPIC, RECORD, {"gsm-001"})
    assert isinstance(decision, Refused)
    assert decision.reason == "json"
