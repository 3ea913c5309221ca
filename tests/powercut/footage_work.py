"""What the recorder promises: an indexed segment is whole, an open one loses at most two seconds."""

import functools
import hashlib
import random
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from powercut.campaign import Complaint, Say, broken, lost
from siaga_core.service.clock import Boot
from siaga_edge.recorder.chain import LINK_BYTES
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import open_disk
from siaga_edge.recorder.finder import Row
from siaga_edge.recorder.flushing import Durable, Flusher
from siaga_edge.recorder.fragments import Fragment, Init, Parser
from siaga_edge.recorder.holds import Hold, held
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.retention import Stored
from siaga_edge.recorder.salvage import Closed, discard, link_of
from siaga_edge.recorder.writing import Place, SegmentWriter, segment_path
from support.clock import FakeClock

# As the recorder writes them: one second each, synced within half a second of their end.
FRAGMENT_S = 1.0
TICK_S = 0.25
SYNC_WITHIN_TICKS = 2
MAY_LOSE_S = 2.0


@functools.cache
def media() -> tuple[Init, tuple[Fragment, ...]]:
    """Real fragments of a second, made once by ffmpeg."""
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=160x120:r=10",
        "-t",
        "6",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "10",
    ]
    command += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "pipe:1"]
    octets = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    made = list(Parser().feed(octets))
    assert isinstance(made[0], Init)
    return made[0], tuple(one for one in made[1:] if isinstance(one, Fragment))


class Recording:
    """One camera: segments of ten fragments, a new run now and then, the oldest given up by unlink."""

    name = "footage"
    rounds = 120
    writer: type[SegmentWriter] = SegmentWriter
    flusher: type[Flusher] = Flusher

    def add(self, index: Index, closed: Closed, say: Say) -> None:
        index.add(closed)
        say(f"segment {closed.name} {closed.link.sha256.hex()}")

    def hold(self, index: Index, hold: Hold) -> None:
        """Keep a span from being given up; acknowledged when this returns."""
        index.keep_holds("local", [*index.holds(), hold])

    def give_up(self, index: Index, footage: Path, name: str) -> None:
        discard(segment_path(footage, name))
        index.remove([name])

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock, (init, fragments) = FakeClock(), media()
        footage = folder / "footage"
        told: list[Durable | Closed] = []
        with closing(Index(folder / "index.db", footage)) as index:
            meta = open_disk(footage, "btm-017", None)
            index.use(meta)
            index.observe(observation(clock))
            flusher = self.flusher(clock, told.append, index.head(meta.disk), lambda: observation(clock))
            place = Place(footage, Boot(1, "b"), clock, 10.0, flusher, lambda _told: None, lambda _s: False)
            say("made")
            writer = self._begin(index, place, init)
            for number in range(self.rounds):
                if rng.random() < 0.06:
                    writer.close()
                    writer = self._begin(index, place, init)
                sync_at = rng.randrange(SYNC_WITHIN_TICKS + 1)
                writer.add(fragments[number % len(fragments)])
                for tick in range(round(FRAGMENT_S / TICK_S)):
                    if tick == sync_at:
                        flusher.step()
                        self._hear(index, told, say)
                    clock.advance(TICK_S)
                    say(f"now {clock.boot_ns()}")
                kept = index.oldest_first()
                if kept and number % 30 == 20:
                    one = kept[-1]
                    middle_ns = (one.start_wall_ns + one.end_wall_ns) // 2  # nothing but this segment
                    self.hold(index, Hold(f"local-{number}", "gate", middle_ns, middle_ns + 1))
                    say(f"held local-{number} {one.name}")
                free = [one for one in kept if not held([one], index.holds())]
                if len(free) > 3:
                    say(f"may drop {free[0].name}")
                    self.give_up(index, footage, free[0].name)
                    for again in range(8):  # the index goes on before any footage is flushed
                        index.set_wish("holds", number * 10 + again)
            writer.abandon()

    def _hear(self, index: Index, told: list[Durable | Closed], say: Say) -> None:
        for one in told:
            if isinstance(one, Closed):
                self.add(index, one, say)
        told.clear()

    def _begin(self, index: Index, place: Place, init: Init) -> SegmentWriter:
        writer = self.writer(place, "gate", index.next_run("gate"))
        writer.begin(init)
        return writer

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        if "made" not in said:
            return []
        footage = folder / "footage"
        dropped = {mark.split()[2] for mark in said if mark.startswith("may drop")}
        closed = {mark.split()[1]: mark.split()[2] for mark in said if mark.startswith("segment ")}
        clock = FakeClock()
        clock.advance(3600)
        with closing(Index(folder / "index.db", footage)) as index:
            known = index.disk()
            assert known is not None
            meta = open_disk(footage, "btm-017", known)
            found = [] if meta == known else [broken(f"disk {meta} is not {known}")]
            numbers = {number for first, last in index.given_up() for number in range(first, last + 1)}
            links = [link_of(path) for path in footage.glob("*/*/*.mp4")]
            found += [
                broken(f"number {link.number} is said to be deleted")
                for link in links
                if link is not None and link.number in numbers
            ]
            gone = set(index.missing()) - dropped
            found += [lost(f"the file of segment {name}") for name in gone]
            index.remove(index.missing())
            list(index.recover(meta.disk, observation(clock)))
            stored = {one.name: one for one in index.oldest_first()}
            holds = {hold.id for hold in index.holds()}
            rows = segments_of(index)
        found += [lost(f"segment {name}") for name in closed if name not in stored and name not in dropped]
        marks = [mark.split() for mark in said if mark.startswith("held ")]
        found += [lost(f"the hold {id}") for _, id, _ in marks if id not in holds]
        found += [lost(f"the held segment {name}") for _, _, name in marks if name not in stored]
        for name in stored:
            octets = segment_path(footage, name).read_bytes()[:-LINK_BYTES]
            if name in closed and hashlib.sha256(octets).hexdigest() != closed[name]:
                found.append(broken(f"segment {name} is not what was closed"))
        with closing(Index(folder / "rebuilt.db", footage)) as rebuilt:
            rebuilt.use(meta)
            list(rebuilt.recover(meta.disk, observation(clock)))
            if segments_of(rebuilt) != rows:
                found.append(broken("the index made from the files is another one"))
        return found + self._missing_seconds(said, list(stored.values()))

    def _missing_seconds(self, said: Sequence[str], stored: Sequence[Stored]) -> list[Complaint]:
        """From the end of what is kept to the cut, with the fragment that was only half there."""
        passed = [int(mark.split()[1]) for mark in said if mark.startswith("now")]
        if not passed:
            return []
        wall_ns = FakeClock().wall_ns() - FakeClock().boot_ns()
        began_ns = wall_ns + passed[0] - int(TICK_S * 1e9)
        newest_ns = max((one.end_wall_ns for one in stored), default=began_ns)
        lost_s = (wall_ns + passed[-1] - newest_ns) / 1e9
        self.lost_s.append(max(0.0, lost_s))
        return [lost(f"{lost_s} s of footage")] if lost_s > MAY_LOSE_S else []

    def __init__(self) -> None:
        self.lost_s: list[float] = []


def observation(clock: FakeClock) -> Observation:
    """What a synchronised clock says."""
    return Observation(1, clock.boot_ns(), clock.wall_ns(), "synced", 10)


def segments_of(index: Index) -> list[Row]:
    """Every row of a segment."""
    return index.links_after(0, limit=1_000_000)
