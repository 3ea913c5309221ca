"""Bad input gets a stable reason; a batch speaks only for the node whose topic it came on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siaga_core.wire.envelope import BadRecord, decode_ack, decode_batch
from siaga_core.wire.ids import node_id

NODE, STREAM = node_id("btm-017"), "modem.urgent"


def entry(**changes: Any) -> dict[str, Any]:
    value = {
        "seq": 1,
        "kind": "report",
        "at": {"boot_seq": 1, "boot_id": "x", "boot_ns": 1, "wall_ns": 1, "clock": "synced"},
        "body": {},
    }
    return value | changes


def batch(**changes: Any) -> bytes:
    value = {
        "v": 1,
        "node": NODE,
        "stream": STREAM,
        "epoch": "9f1c2ab34d5e6f70",
        "first": 1,
        "last": 1,
        "entries": [entry()],
    }
    return json.dumps(value | changes).encode()


def reason(message: bytes) -> str:
    with pytest.raises(BadRecord) as caught:
        decode_batch(message, node=NODE, stream=STREAM)
    return caught.value.reason


def test_unknown_fields_and_kinds_pass() -> None:
    message = batch(colour="red", entries=[entry(kind="weather", mood="grey")])
    [record] = decode_batch(message, node=NODE, stream=STREAM).records
    assert record.kind == "weather"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", "json"),
        (b"{", "json"),
        (b"\xff\xfe", "json"),
        (b"[" * 60_000, "json"),
        (b"[]", "json"),
        (batch(v=2), "version"),
        (batch(v="1"), "version"),
        (batch(first=0), "schema"),
        (batch(last=2**60), "schema"),
        (batch(first=True), "schema"),
        (batch(epoch="Z"), "schema"),
        (batch(stream="modem.fast"), "schema"),
        (batch(entries=[entry()] * 1001), "schema"),
        (batch(entries=[entry(), entry()]), "schema"),
        (batch(entries=[entry(seq=2)]), "schema"),
        (batch(entries=[{"kind": "report"}]), "schema"),
        (batch(node="btm-018"), "impersonation"),
        (batch(stream="modem.bulk"), "impersonation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "message",
)
def test_each_fault_has_its_reason(message: bytes, expected: str) -> None:
    assert reason(message) == expected


@pytest.mark.parametrize("changes", [{"kind": "Report!"}, {"at": {}}, {"at": None}, {"kind": 7}])
def test_an_entry_that_is_no_record_keeps_its_number_and_stops_no_other(changes: dict[str, Any]) -> None:
    message = batch(last=3, entries=[entry(), entry(seq=2, **changes), entry(seq=3)])
    received = decode_batch(message, node=NODE, stream=STREAM)
    assert [record.seq for record in received.records] == [1, 3]
    assert [unreadable.seq for unreadable in received.unreadable] == [2]
    assert received.missing() == []


def test_text_that_is_not_utf8_makes_one_entry_unreadable() -> None:
    message = batch(entries=[entry(body={"a": "??"})]).replace(b"??", b"\xff\xfe")
    received = decode_batch(message, node=NODE, stream=STREAM)
    assert [unreadable.seq for unreadable in received.unreadable] == [1]


@pytest.mark.parametrize(
    ("seqs", "missing"),
    [([], [(1, 9)]), ([1, 9], [(2, 8)]), ([5], [(1, 4), (6, 9)]), (list(range(1, 10)), [])],
)
def test_what_is_left_out_is_gone(seqs: list[int], missing: list[tuple[int, int]]) -> None:
    message = batch(last=9, entries=[entry(seq=seq) for seq in seqs])
    assert decode_batch(message, node=NODE, stream=STREAM).missing() == missing


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_bad_record(message: bytes) -> None:
    for decode in (lambda p: decode_batch(p, node=NODE, stream=STREAM), decode_ack):
        try:
            decode(message)
        except BadRecord:
            continue


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_json_in_any_field_is_a_batch_or_a_bad_record(value: Any) -> None:
    for field in ("v", "node", "stream", "epoch", "first", "last", "entries"):
        try:
            decode_batch(batch(**{field: value}), node=NODE, stream=STREAM)
        except BadRecord:
            continue
    for field in ("seq", "kind", "at", "body"):
        try:
            decode_batch(batch(entries=[entry(**{field: value})]), node=NODE, stream=STREAM)
        except BadRecord:
            continue
