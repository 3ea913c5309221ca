"""Times as technicians type them."""

from datetime import UTC, datetime

import pytest

from siaga_core.wib import BadTime, instant_ns, shown, span_ns

NOW_NS = int(datetime(2026, 11, 24, 8, 0, tzinfo=UTC).timestamp()) * 10**9  # 15.00 WIB


def _utc(text: str) -> str:
    return datetime.fromtimestamp(instant_ns(text, NOW_NS) / 1e9, UTC).isoformat()


@pytest.mark.parametrize(
    ("typed", "utc"),
    [
        ("14.03", "2026-11-24T07:03:00+00:00"),
        ("14.03.10", "2026-11-24T07:03:10+00:00"),
        ("14:03:10", "2026-11-24T07:03:10+00:00"),
        ("14.03.10,5", "2026-11-24T07:03:10.500000+00:00"),
        ("15.01", "2026-11-23T08:01:00+00:00"),  # not yet today
        ("24-11 14.03", "2026-11-24T07:03:00+00:00"),
        ("25/11 14.03", "2025-11-25T07:03:00+00:00"),  # not yet this year
        ("01-02-2025 00.00", "2025-01-31T17:00:00+00:00"),
        ("2026-11-24T14:03:10", "2026-11-24T07:03:10+00:00"),
        ("2026-11-24 14:03:10", "2026-11-24T07:03:10+00:00"),
        ("2026-11-24T07:03:10Z", "2026-11-24T07:03:10+00:00"),
        ("2026-11-24T14:03:10+07:00", "2026-11-24T07:03:10+00:00"),
    ],
)
def test_what_is_typed_is_the_last_such_time_in_wib(typed: str, utc: str) -> None:
    assert _utc(typed) == utc


@pytest.mark.parametrize(
    "typed", ["", "x", "25.00", "14.60", "32-11 14.03", "31-02-2026 10.00", "14", "14.03 24-11"]
)
def test_what_is_no_time_is_refused_with_the_forms_that_are(typed: str) -> None:
    with pytest.raises(BadTime, match=r"14\.03"):
        instant_ns(typed, NOW_NS)


def test_an_end_without_a_day_is_the_first_after_the_begin() -> None:
    start, end = span_ns("23-11 23.59", "00.01", NOW_NS)
    assert end - start == 120 * 10**9
    start, end = span_ns("14.03", "14.05.30", NOW_NS)
    assert end - start == 150 * 10**9


def test_an_end_before_its_begin_is_refused() -> None:
    with pytest.raises(BadTime, match="not after"):
        span_ns("24-11 14.03", "24-11 14.02", NOW_NS)


def test_an_instant_is_shown_with_its_error() -> None:
    at = instant_ns("14.03.07", NOW_NS)
    assert shown(at, 400) == "24-11-2026 14.03.07 WIB ±0,4 s"
    assert shown(at, 10) == "24-11-2026 14.03.07 WIB"
    assert shown(at, None, day=False) == "14.03.07 WIB ±?"
