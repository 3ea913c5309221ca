"""Ids are topic levels, file names and certificate CNs at once; topics are taken apart without guessing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siaga_core.wire import topics
from siaga_core.wire.ids import BadId, is_ulid, node_id, ulid


@pytest.mark.parametrize(
    "text", ["", "a", "ab", "1ab", "Abc", "a_b", "ab-", "a/b", "a+b", "ab#", "a" * 41, "ab\n"]
)
def test_a_name_that_could_escape_its_topic_is_refused(text: str) -> None:
    with pytest.raises(BadId, match="use 3 to 40"):
        node_id(text)


def test_ulids_sort_by_time_and_have_their_shape() -> None:
    early, late = ulid(1, b"\xff" * 10), ulid(2, b"\x00" * 10)
    assert early < late
    assert is_ulid(early)
    assert not is_ulid(early.lower())


def test_an_up_topic_is_taken_apart() -> None:
    node = node_id("btm-017")
    assert topics.parse_up(topics.up_record(node, "modem.urgent")) == topics.UpTopic(
        node, "rec", "modem.urgent"
    )
    assert topics.parse_up(topics.up_state(node)) == topics.UpTopic(node, "state", None)


@given(st.text(max_size=60))
def test_other_topics_are_refused(tail: str) -> None:
    with pytest.raises(topics.BadTopic):
        topics.parse_up(f"siaga/v1/up/UPPER/{tail}")
