"""What an operator is told of a clip on its way."""

import pytest

from siaga_central.domain.fetching import Way, speed, way

S = 1_000_000


def _way(**more: object) -> Way:
    usual: dict[str, object] = {
        "got_bytes": 250, "size_bytes": 1000, "rate_bytes_s": 10, "got_us": 99 * S, "is_stopped": False,
        "is_online": True, "order_state": "done", "now_us": 100 * S,
    }  # fmt: skip
    return way(**{**usual, **more})  # type: ignore[arg-type]


def test_a_clip_that_comes_says_how_far_it_is_and_how_long_it_takes() -> None:
    assert _way() == Way(25, 75, "")
    assert _way(rate_bytes_s=None) == Way(25, None, "")
    assert _way(got_bytes=1000) == Way(99, 0, ""), "whole is only what is whole and right"


@pytest.mark.parametrize(
    ("more", "waits"),
    [
        ({"is_stopped": True, "is_online": False}, "stopped"),
        ({"is_online": False}, "offline"),
        ({"order_state": "queued"}, "sending"),
        ({"order_state": "sent"}, "sending"),
        ({"order_state": "started"}, "cutting"),
        ({"got_us": 60 * S}, "line"),
        ({"got_us": None}, "line"),
    ],
)
def test_a_clip_that_does_not_come_says_why(more: dict[str, object], waits: str) -> None:
    assert _way(**more).waits == waits
    assert _way(**more).left_s is None


def test_the_last_slices_count_most_and_a_pause_counts_nothing() -> None:
    assert speed(None, 8000, S) == 8000
    assert speed(8000, 4000, S) == 6800
    assert speed(8000, 4000, 3600 * S) is None
    assert speed(8000, 0, S) is None
