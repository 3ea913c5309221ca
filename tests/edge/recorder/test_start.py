"""A start reads what was left open and no more; a torn tail is cut after its last whole fragment."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from powercut.footage_work import media
from siaga_edge.recorder.chain import FIRST_HEAD, LINK_BYTES, Head, Link, Span
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import open_disk
from siaga_edge.recorder.fragments import Mark
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import Closed, link_of, sha256_of
from siaga_edge.recorder.writing import segment_path
from support.clock import FakeClock
from support.kept_footage import kept_footage

S = 10**9
CLOSED = 300
_opened: list[str] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and str(arguments[0]).endswith(".mp4"):
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Every segment that this process opens meanwhile, however it does that."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def _octets_read() -> int:
    return int(re.findall(r"rchar: (\d+)", Path("/proc/self/io").read_text())[0])


def _furnish(folder: Path) -> tuple[str, int]:
    """A disk with many closed segments and a torn one; the chain's id, and how long the torn one is whole."""
    footage = folder / "footage"
    init, fragments = media()
    meta = open_disk(footage, "btm-017", None)
    (folder / "data").mkdir()
    head, made = Head(meta.disk, 0, FIRST_HEAD), list[Closed]()
    for number in range(1, CLOSED + 1):
        name = f"gate/1-1/{number:06d}"
        path = segment_path(footage, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        at_ns = number * S // 2
        mark = Mark(1, at_ns, 1_795_000_000 * S + at_ns, 500)
        path.write_bytes(init.octets + mark.box() + fragments[number % len(fragments)].octets)
        size_bytes = path.stat().st_size
        seen = Observation(1, S // 2, 1_795_000_000 * S + S // 2, "synced", 10)
        span = Span(1, at_ns - S // 2, at_ns, 500, 1)
        link = Link(meta.disk, number, head.head, sha256_of(path, size_bytes), span, seen)
        path.write_bytes(path.read_bytes() + link.box())
        head = link.head(name)
        made.append(Closed(name, "gate", size_bytes + LINK_BYTES, link))
    with closing(Index(folder / "data" / "footage.db", footage)) as index:
        index.use(meta)
        index.add_all(made)
    return meta.disk, _tear(footage, init.octets, CLOSED + 1)


def _tear(footage: Path, init: bytes, number: int) -> int:
    """Leave a segment with three whole fragments and a part of the fourth, as a power cut does."""
    whole = init
    for at in range(1, 4):
        at_ns = (number + at) * S // 2
        whole += _marked(at, at_ns)
    torn = _marked(4, number * S)[:-100]
    segment_path(footage, f"gate/1-1/{number:06d}").write_bytes(whole + torn)
    return len(whole)


def _marked(fragment: int, at_ns: int) -> bytes:
    return Mark(1, at_ns, 1_795_000_000 * S + at_ns, 500).box() + media()[1][fragment].octets


class ReadsEverything(Index):
    """Looks into every file at its start."""

    def names(self) -> frozenset[str]:
        return frozenset()


def _opened_at_start(folder: Path, chain: str, kind: Callable[[Path, Path], Index]) -> set[str]:
    now = Observation(2, S, 1_795_100_000 * S, "synced", 10)
    with closing(kind(folder / "data" / "footage.db", folder / "footage")) as index, watched() as opened:
        list(index.recover(chain, now))
        return {Path(path).stem for path in opened}


def test_at_the_start_only_what_was_left_open_is_opened(tmp_path: Path) -> None:
    chain, _ = _furnish(tmp_path)
    assert _opened_at_start(tmp_path, chain, Index) == {f"{CLOSED + 1:06d}"}
    assert _opened_at_start(tmp_path, chain, Index) == set(), "and that one only once"
    assert len(_opened_at_start(tmp_path, chain, ReadsEverything)) > CLOSED, "it is noticed"


def test_a_recorder_that_starts_reads_little_cuts_the_torn_tail_and_says_what_it_has_kept(
    tmp_path: Path,
) -> None:
    _, whole_bytes = _furnish(tmp_path)
    footage = tmp_path / "footage"
    closed_bytes = sum(path.stat().st_size for path in footage.glob("*/*/*.mp4"))
    before = _octets_read()
    with watched() as opened, kept_footage(tmp_path, clock=FakeClock(1_795_000_900)) as kept:
        at_start = {Path(path).stem for path in opened if Path(path).parts[-2] == "1-1"}
        read_bytes = _octets_read() - before
        assert at_start == {f"{CLOSED + 1:06d}"}
        assert read_bytes < closed_bytes / 2
        [said] = [one for one in kept.records("service") if one["code"] == "footage.recovered"]
        assert said["level"] == "ok"
        torn = segment_path(footage, f"gate/1-1/{CLOSED + 1:06d}")
        assert f"1 open segments kept with 1.5 s; {_torn_bytes()} torn octets cut" == said["detail"]
        assert torn.stat().st_size == whole_bytes + LINK_BYTES
        link = link_of(torn)
        assert link is not None
        assert (link.number, link.span.fragments, link.span.media_ms) == (CLOSED + 1, 3, 1500)
        assert sha256_of(torn, whole_bytes) == link.sha256
        assert kept.stored()[-1].number == CLOSED + 1


def _torn_bytes() -> int:
    return len(_marked(4, 1)) - 100
