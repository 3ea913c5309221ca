"""Bad input gets a stable reason; a record speaks only for the node whose topic it came on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siaga_core.wire.envelope import RECORD_MAX_BYTES, BadRecord, decode_ack, decode_record
from siaga_core.wire.ids import node_id

NODE, STREAM = node_id("btm-017"), "modem.urgent"


def record(**changes: Any) -> bytes:
    value = {
        "v": 1,
        "node": NODE,
        "stream": STREAM,
        "epoch": "9f1c2ab34d5e6f70",
        "seq": 1,
        "kind": "report",
        "at": {"boot_seq": 1, "boot_id": "x", "boot_ns": 1, "wall_ns": 1, "clock": "synced"},
        "body": {},
    }
    return json.dumps(value | changes).encode()


def reason(payload: bytes) -> str:
    with pytest.raises(BadRecord) as caught:
        decode_record(payload, node=NODE, stream=STREAM)
    return caught.value.reason


def test_unknown_fields_and_kinds_pass() -> None:
    decoded = decode_record(record(kind="weather", colour="red"), node=NODE, stream=STREAM)
    assert decoded.kind == "weather"


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xff\xfe", "json"),
        (b"[" * 60_000, "json"),
        (b"[]", "json"),
        (b"x" * (RECORD_MAX_BYTES + 1), "oversized"),
        (record(v=2), "version"),
        (record(v="1"), "version"),
        (record(seq=0), "schema"),
        (record(seq=2**60), "schema"),
        (record(seq=True), "schema"),
        (record(epoch="Z"), "schema"),
        (record(stream="modem.fast"), "schema"),
        (record(kind="Report!"), "schema"),
        (record(at={}), "schema"),
        (record(node="btm-018"), "impersonation"),
        (record(stream="modem.bulk"), "impersonation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "payload",
)
def test_each_fault_has_its_reason(payload: bytes, expected: str) -> None:
    assert reason(payload) == expected


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_bad_record(payload: bytes) -> None:
    for decode in (lambda p: decode_record(p, node=NODE, stream=STREAM), decode_ack):
        try:
            decode(payload)
        except BadRecord:
            continue


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_json_in_any_field_is_a_record_or_a_bad_record(value: Any) -> None:
    for field in ("v", "node", "stream", "epoch", "seq", "kind", "at", "body"):
        try:
            decode_record(record(**{field: value}), node=NODE, stream=STREAM)
        except BadRecord:
            continue
