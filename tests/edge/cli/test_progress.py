"""The bar: only on a terminal, only for what lasts."""

import io

from siaga_edge.cli.progress import Progress, bar
from support.clock import FakeClock


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _work(stream: io.StringIO, seconds: float) -> str:
    clock = FakeClock()
    progress = Progress("verify", 1000, stream, clock.mono_s)
    for _ in range(10):
        clock.advance(seconds / 10)
        progress.advance(100)
    progress.close()
    return stream.getvalue()


def test_a_bar_is_drawn_when_it_takes_longer_than_a_second_and_wiped_at_the_end() -> None:
    drawn = _work(Terminal(), 5)
    assert "verify [" in drawn
    assert "60%" in drawn
    assert drawn.endswith("\r\x1b[K")


def test_nothing_is_drawn_for_short_work_or_into_a_file() -> None:
    assert _work(Terminal(), 0.9) == ""
    assert _work(io.StringIO(), 50) == ""


def test_a_bar_says_share_octets_speed_and_what_is_left() -> None:
    line = bar("verify", 50_000_000, 100_000_000, 5)
    assert line == "verify [############............] 50%  50 MB  10 MB/s  5 s"
    assert "%" not in bar("verify", 50_000_000, 0, 5)
