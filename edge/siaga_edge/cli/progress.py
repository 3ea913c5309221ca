"""A bar on standard error for work that takes longer than a second; nothing when nobody looks at it."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

SHOWN_AFTER_S = 1.0
_EVERY_S = 0.2
_CELLS = 24


class Progress:
    """`advance` is called as often as it suits; octets, of a whole that may be 0 when it is not known."""

    def __init__(
        self,
        what: str,
        whole_bytes: int,
        stream: TextIO | None = None,
        mono_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._whole, self._done = what, whole_bytes, 0
        self._stream, self._mono_s = stream or sys.stderr, mono_s
        self._begun_s = self._shown_s = mono_s()
        self._seen = self._stream.isatty()
        self._drawn = False

    def advance(self, octets: int) -> None:
        """So many more are done."""
        self._done += octets
        now_s = self._mono_s()
        if self._seen and now_s - self._begun_s >= SHOWN_AFTER_S and now_s - self._shown_s >= _EVERY_S:
            self._shown_s = now_s
            self._draw(now_s)

    def close(self) -> None:
        """Leave a clean line."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _draw(self, now_s: float) -> None:
        self._drawn = True
        self._stream.write("\r\x1b[K" + bar(self._what, self._done, self._whole, now_s - self._begun_s))
        self._stream.flush()


def bar(what: str, done: int, whole: int, elapsed_s: float) -> str:
    """One line: bar, share, octets, speed, what is left to wait."""
    speed = done / elapsed_s if elapsed_s else 0.0
    octets = f"{done / 1e6:.0f} MB  {speed / 1e6:.0f} MB/s"
    if not whole:
        return f"{what}  {octets}"
    full = min(_CELLS, done * _CELLS // whole)
    left_s = (whole - done) / speed if speed else 0
    share = min(100, done * 100 // whole)
    return f"{what} [{'#' * full}{'.' * (_CELLS - full)}] {share}%  {octets}  {left_s:.0f} s"
