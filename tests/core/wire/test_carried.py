"""Urgent records as texts: what was packed comes out, and no text raises anything but its one error."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siaga_core.wire import carried
from siaga_core.wire.carried import Carried, Signed
from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.gsm7 import septets

RECORDS = st.builds(
    Carried,
    service=st.sampled_from(carried.SERVICES),
    epoch=st.binary(min_size=8, max_size=8).map(bytes.hex),
    seq=st.integers(1, (1 << 32) - 1),
    made_s=st.integers(0, (1 << 32) - 1),
    kind=st.sampled_from(["report", "camera", "service"]),
    body=st.text(max_size=300).map(str.encode),
)


@given(RECORDS, st.binary(min_size=64, max_size=64), st.sampled_from(["", "(ulang) "]))
def test_what_was_packed_comes_out_behind_any_mark_of_repetition(
    record: Carried, signature: bytes, before: str
) -> None:
    content = carried.content_of(record)
    if content is None:
        return
    text = before + carried.text_of(Signed(b"abcd", signature, content))
    assert septets(text) == len(text), "one septet for each sign"
    assert carried.is_carried(text)
    signed = carried.parse(text)
    assert (signed.key_id, signed.signature) == (b"abcd", signature)
    assert carried.opened(signed.content) == record


@given(st.text(max_size=400), st.binary(max_size=400))
def test_no_text_and_no_content_raises_anything_else(words: str, octets: bytes) -> None:
    for text in (words, carried.MARK + words):
        assert _why(lambda text=text: carried.opened(carried.parse(text).content)) in ("", "carried")  # type: ignore[misc]
    assert _why(lambda: carried.opened(octets.ljust(18, b"\0"))) in ("", "carried")


def _why(read: Callable[[], object]) -> str:
    try:
        read()
    except BadRecord as error:
        return error.reason
    return ""


def test_what_inflates_without_end_is_cut_off() -> None:
    bomb = carried.content_of(Carried("modem", "00" * 8, 1, 1, "report", b"a" * 100_000))
    assert bomb is not None
    with pytest.raises(BadRecord):
        carried.opened(bomb)


def test_a_record_that_would_take_too_many_parts_waits_for_the_link() -> None:
    body = random.Random(1).randbytes(600)
    assert carried.content_of(Carried("modem", "00" * 8, 1, 1, "report", body)) is None
