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
from siaga_edge.recorder.fragments import Fragment, Init, Parser
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.writing import Closed, SegmentWriter, segment_path
from support.clock import FakeClock

FRAGMENT_S = 0.5
MAY_LOSE_S = 2.0


@functools.cache
def media() -> tuple[Init, tuple[Fragment, ...]]:
    """Real fragments of half a second, made once by ffmpeg."""
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
        "5",
    ]
    command += ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov+default_base_moof", "pipe:1"]
    octets = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    made = list(Parser().feed(octets))
    assert isinstance(made[0], Init)
    return made[0], tuple(one for one in made[1:] if isinstance(one, Fragment))


class Recording:
    """One camera: segments of ten fragments, a new run now and then, the oldest given up by unlink."""

    name = "footage"
    rounds = 90
    writer: type[SegmentWriter] = SegmentWriter

    def add(self, index: Index, closed: Closed, say: Say) -> None:
        index.add(closed)
        say(f"segment {closed.name} {closed.sha256}")

    def run(self, folder: Path, say: Say, rng: random.Random) -> None:
        clock, (init, fragments) = FakeClock(), media()
        footage = folder / "footage"
        with closing(Index(folder / "index.db", footage)) as index:
            say("made")
            writer = self._begin(index, footage, clock, init)
            for number in range(self.rounds):
                if rng.random() < 0.06:
                    if (closed := writer.close()) is not None:
                        self.add(index, closed, say)
                    writer = self._begin(index, footage, clock, init)
                clock.advance(FRAGMENT_S)
                if (closed := writer.add(fragments[number % len(fragments)])) is not None:
                    self.add(index, closed, say)
                say(f"arrived {clock.wall_ns()}")
                kept = index.oldest_first()
                if len(kept) > 5:
                    say(f"may drop {kept[0].name}")
                    segment_path(footage, kept[0].name).unlink()
                    index.remove(kept[0].name)
            writer.abandon()

    def _begin(self, index: Index, footage: Path, clock: FakeClock, init: Init) -> SegmentWriter:
        run = index.next_run("gate")
        writer = self.writer(footage, "gate", Boot(1, "b"), run, clock, 5.0)
        writer.begin(init)
        return writer

    def check(self, folder: Path, said: Sequence[str]) -> list[Complaint]:
        if "made" not in said:
            return []
        footage = folder / "footage"
        with closing(Index(folder / "index.db", footage)) as index:
            list(index.recover())
            stored = {one.name: one for one in index.oldest_first()}
        dropped = {mark.split()[2] for mark in said if mark.startswith("may drop")}
        closed = {mark.split()[1]: mark.split()[2] for mark in said if mark.startswith("segment ")}
        found = [lost(f"segment {name}") for name in closed if name not in stored and name not in dropped]
        for name in stored:
            octets = segment_path(footage, name).read_bytes()
            if name in closed and hashlib.sha256(octets).hexdigest() != closed[name]:
                found.append(broken(f"segment {name} is not what was closed"))
        arrived = [int(mark.split()[1]) for mark in said if mark.startswith("arrived")]
        if arrived:
            before_ns = arrived[0] - int(FRAGMENT_S * 1e9)
            newest_ns = max((one.end_wall_ns for one in stored.values()), default=before_ns)
            if arrived[-1] - newest_ns > MAY_LOSE_S * 1e9:
                found.append(lost(f"{(arrived[-1] - newest_ns) / 1e9} s of footage"))
        return found
