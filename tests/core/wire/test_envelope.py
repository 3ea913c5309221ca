"""Bad input gets a stable reason; a batch speaks only for the node whose topic it came on."""

import itertools
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siaga_core.wire.envelope import BadRecord, Record, Stamp, batch_of, decode_ack, decode_batch, encode
from siaga_core.wire.ids import node_id

NODE, STREAM = node_id("btm-017"), "modem.urgent"


def entry(**changes: Any) -> dict[str, Any]:
    return {"kind": "report", "body": {}} | changes


AT = {"boot_seq": 1, "boot_id": "x", "boot_ns": 1, "wall_ns": 1, "clock": "synced"}


def batch(*, seqs: Sequence[int] = (1,), **changes: Any) -> bytes:
    """By default as many entries as numbers."""
    steps = [[seq - before, 0, 0, 0] for before, seq in itertools.pairwise((0, *seqs))]
    value = {
        "v": 1,
        "node": NODE,
        "stream": STREAM,
        "epoch": "9f1c2ab34d5e6f70",
        "first": 1,
        "last": 1,
        "at": AT,
        "steps": steps,
        "entries": [entry()] * len(seqs),
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
        (batch(last=2000, seqs=range(1, 1002)), "schema"),
        (batch(entries=[entry(), entry()]), "schema"),
        (batch(seqs=[1, 1]), "schema"),
        (batch(seqs=[2]), "schema"),
        (batch(at=None), "schema"),
        (batch(steps=[[1, 2**63, 0, 0]]), "schema"),
        (batch(steps=[[1, 0, 2**63, 0]]), "schema"),
        (batch(steps=[[1, -2, 0, 0]]), "schema"),
        (batch(steps=[[1, 0, 0]]), "schema"),
        (batch(node="btm-018"), "impersonation"),
        (batch(stream="modem.bulk"), "impersonation"),
    ],
    ids=lambda value: value if isinstance(value, str) else "message",
)
def test_each_fault_has_its_reason(message: bytes, expected: str) -> None:
    assert reason(message) == expected


@pytest.mark.parametrize("changes", [{"kind": "Report!"}, {"kind": None}, {"kind": 7}])
def test_an_entry_that_is_no_record_keeps_its_number_and_stops_no_other(changes: dict[str, Any]) -> None:
    message = batch(last=3, seqs=(1, 2, 3), entries=[entry(), entry(**changes), entry()])
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
    message = batch(last=9, seqs=seqs)
    assert decode_batch(message, node=NODE, stream=STREAM).missing() == missing


def stamped(seq: int, boot_ns: int, wall_ns: int, error_ms: int | None = 3) -> Record:
    at = Stamp(boot_seq=1, boot_id="x", boot_ns=boot_ns, wall_ns=wall_ns, clock="synced", error_ms=error_ms)
    body = msgspec.Raw(b'{"a":1}')
    return Record(
        node=NODE, stream=STREAM, epoch="9f1c2ab34d5e6f70", seq=seq, kind="report", at=at, body=body
    )


@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(-(2**61), 2**61), st.integers(0, 2**40))))
def test_numbers_and_stamps_travel_as_steps_and_arrive_as_they_were(said: list[tuple[int, int, int]]) -> None:
    records = [stamped(3 * number + 2, *each) for number, each in enumerate(said)]
    if records:
        message = encode(batch_of(records, 1, 3 * len(said)))
        assert decode_batch(message, node=NODE, stream=STREAM).records == records


@pytest.mark.parametrize(
    "changes", [{"boot_seq": 2}, {"boot_id": "y"}, {"clock": "holdover"}, {"error_ms": None}]
)
def test_a_batch_is_of_one_boot_and_one_state_of_the_clock(changes: dict[str, Any]) -> None:
    one = stamped(1, 10, 20)
    other = msgspec.structs.replace(one, seq=2, at=msgspec.structs.replace(one.at, **changes))
    with pytest.raises(ValueError, match="several batches"):
        batch_of([one, other], 1, 2)


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_bad_record(message: bytes) -> None:
    for decode in (lambda p: decode_batch(p, node=NODE, stream=STREAM), decode_ack):
        try:
            decode(message)
        except BadRecord:
            continue


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)))
def test_any_json_in_any_field_is_a_batch_or_a_bad_record(value: Any) -> None:
    for field in ("v", "node", "stream", "epoch", "first", "last", "at", "steps", "entries"):
        try:
            decode_batch(batch(**{field: value}), node=NODE, stream=STREAM)
        except BadRecord:
            continue
    for field in ("kind", "body"):
        try:
            decode_batch(batch(entries=[entry(**{field: value})]), node=NODE, stream=STREAM)
        except BadRecord:
            continue
