"""How long the network is waited for, as a walk through the table."""

import pytest

from siaga_edge.modem import patience
from siaga_edge.modem.patience import FAST_RUN, Event, Mode, Patience
from siaga_edge.modem.profile import Limits, load_all


def after(*events: Event) -> Patience:
    now = Patience()
    for event in events:
        now = patience.learn(now, event)
    return now


@pytest.mark.parametrize(
    ("events", "mode"),
    [
        ((), "short"),
        (("fast", "fast"), "short"),
        (("slow",), "long"),
        (("unsaid",), "long"),
        (("hung",), "doubted"),
        (("hung", "fast", "hung"), "doubted"),
        (("hung", "hung"), "long"),
        (("hung", "slow"), "long"),
        (("hung", "hung", "hung"), "short"),
        (("slow", "hung"), "short"),
        (("slow", "unsaid", "slow"), "long"),
        (("slow", *["fast"] * (FAST_RUN - 1)), "long"),
        (("slow", *["fast"] * FAST_RUN), "short"),
        (("slow", *["fast"] * (FAST_RUN - 1), "slow", *["fast"] * (FAST_RUN - 1)), "long"),
    ],
)
def test_what_the_last_texts_teach(events: tuple[Event, ...], mode: Mode) -> None:
    assert after(*events).mode == mode


def test_only_a_slow_network_gets_the_long_time() -> None:
    limits = Limits(send_s=7, send_most_s=50)
    modes: tuple[Mode, ...] = ("short", "doubted", "long")
    assert [patience.limit_s(Patience(mode), limits) for mode in modes] == [7, 7, 50]


def test_with_the_question_after_it_the_short_time_is_within_ten_seconds_in_every_family() -> None:
    for family in load_all().values():
        assert family.limits.send_s + 2 * 1.0 < 10
        assert family.limits.send_most_s >= 15 + 45, "3GPP TS 24.008 T3230, 24.011 TR1M"
