"""Random spans over segments, gaps, a restart, other parameters and a clock set late: exact to the picture.

Each medium is decoded once; what a clip shows is compared with that, picture by picture.
"""

import functools
import itertools
import random
import shutil
import struct
import subprocess
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from siaga_edge.recorder import export
from siaga_edge.recorder.dating import Dated, Dating, Observation
from siaga_edge.recorder.export import Clip, NoFootage
from siaga_edge.recorder.fragments import Fragment, Init, Mark, Parser

S = 10**9
RATE = 10
LASTS_S = 12
START_NS = 1_795_000_000 * S
BEGIN_BOOT_NS = 100 * S
FFMPEG = str(shutil.which("ffmpeg"))

_X265 = "log-level=none:keyint=20:min-keyint=20:scenecut=0:open-gop="
CODINGS = {
    "h264": "-c:v libx264 -bf 0 -sc_threshold 0",
    "h264 out of order": "-c:v libx264 -bf 3 -sc_threshold 0 -x264-params b-pyramid=normal:b-adapt=0",
    "h265": f"-c:v libx265 -x265-params {_X265}0:bframes=0",
    "h265 out of order": f"-c:v libx265 -x265-params {_X265}0:bframes=3:b-adapt=0",
    "h265 open groups": f"-c:v libx265 -x265-params {_X265}1:bframes=3:b-adapt=0",
}
# The same size, but another parameter set and other pictures.
OTHER = {
    "h264": "-c:v libx264 -profile:v baseline -sc_threshold 0",
    "h265": f"-c:v libx265 -x265-params {_X265}0:ref=1:ctu=16",
}


@dataclass(frozen=True, slots=True)
class Medium:
    """Fragments of half a second, and the MD5 of every picture in the order in which they are seen."""

    init: Init
    fragments: tuple[Fragment, ...]
    pictures: tuple[str, ...]

    def part(self, first_s: int, after_s: int) -> tuple[Fragment, ...]:
        """Fragments between two key pictures, of which there is one every 2 s."""
        groups = list(itertools.accumulate(one.starts_with_key for one in self.fragments))
        wanted = range(first_s // 2 + 1, after_s // 2 + 1)
        return tuple(one for group, one in zip(groups, self.fragments, strict=True) if group in wanted)


@dataclass(frozen=True, slots=True)
class Scene:
    """Segments in order, what dates them, and every picture that was taken with its true time."""

    paths: list[Path]
    dating: Dating
    truth: list[tuple[int, str]]


@functools.cache
def medium(coding: str, source: str = "testsrc2") -> Medium:
    """12 s of pictures that are all different, a key picture every 2 s."""
    made = f"-f lavfi -i {source}=s=160x120:r={RATE} -t {LASTS_S} {coding} -g 20 -pix_fmt yuv420p"
    moves = "-frag_duration 500000 -movflags frag_keyframe+empty_moov+default_base_moof -f mp4 pipe:1"
    command = [FFMPEG, "-v", "error", *made.split(), *moves.split()]
    octets = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
    init, *fragments = Parser().feed(octets)
    assert isinstance(init, Init)
    return Medium(
        init, tuple(one for one in fragments if isinstance(one, Fragment)), tuple(decoded("pipe:0", octets))
    )


def decoded(source: str, octets: bytes = b"", *options: str) -> list[str]:
    """MD5 of each picture as a player shows it."""
    command = [FFMPEG, "-v", "error", *options, "-i", source, "-fps_mode", "passthrough"]
    command += ["-f", "framemd5", "-"]
    ended = subprocess.run(command, check=True, capture_output=True, timeout=60, input=octets)
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if not line.startswith("#")]


def write(path: Path, init: Init, fragments: tuple[Fragment, ...], boot: int, at_ns: int, seed: int) -> Path:
    """A segment whose fragments but the first arrive up to 300 ms late; torn in the last."""
    rng, elapsed, octets = random.Random(seed), 0, init.octets
    for number, fragment in enumerate(fragments):
        elapsed += fragment.duration
        late_ns = rng.randrange(300_000_000) if number else 0
        arrived_ns = at_ns + elapsed * S // init.timescale + late_ns
        mark = Mark(boot, arrived_ns, 0, fragment.duration * 1000 // init.timescale)
        octets += mark.box() + fragment.octets
    path.write_bytes(octets + fragments[0].octets[:1000])
    return path


def scene(folder: Path, name: str) -> Scene:
    """Two segments, a gap, other parameters, a restart; the first boot's clock was set an hour late."""
    main = medium(CODINGS[name])
    other = medium(OTHER[name.split()[0]], "testsrc")
    # (medium, from s, to s, boot, begin of the part in s after START_NS)
    plan = [(main, 0, 6, 1, 0), (main, 6, 12, 1, 6), (other, 0, 6, 1, 19), (main, 0, 4, 2, 55)]
    paths, truth = [], []
    for number, (one, first, after, boot, at) in enumerate(plan):
        # In open groups three pictures are seen before the key picture that is coded before them.
        early = 3 if "open" in name and one is main else 0
        boot_ns = BEGIN_BOOT_NS + (at if boot == 1 else 0) * S - (early if first else 0) * S // RATE
        path = folder / f"{number}.mp4"
        paths.append(write(path, one.init, one.part(first, after), boot, boot_ns, number))
        numbers = range(
            first * RATE - (early if first else 0), after * RATE - (early if after < LASTS_S else 0)
        )
        truth += [(START_NS + at * S + (n - first * RATE) * S // RATE, one.pictures[n]) for n in numbers]
    dating = Dating(
        [
            Observation(1, 0, 0, "unknown", None),
            Observation(1, BEGIN_BOOT_NS + 3600 * S, START_NS + 3600 * S, "synced", 10),
            Observation(2, BEGIN_BOOT_NS, START_NS + 55 * S, "synced", 20),
        ]
    )
    return Scene(paths, dating, truth)


def spans(count: int, seed: int) -> list[tuple[int, int]]:
    """From a little before the first picture to after the last, of up to 20 s; one in ten is short."""
    rng = random.Random(seed)
    firsts = [rng.randrange(-2 * S, 61 * S) for _ in range(count)]
    lengths = [rng.randrange(S // RATE, 20 * S if n % 10 else S // 2) for n in range(count)]
    return [(START_NS + a, START_NS + a + length) for a, length in zip(firsts, lengths, strict=True)]


def check(found: Scene, span: tuple[int, int], target: Path) -> None:
    """Cut the span; its pictures are those that were taken in it, or there is nothing."""
    expected = [(at, digest) for at, digest in found.truth if span[0] <= at < span[1]]
    if not expected:
        with pytest.raises(NoFootage):
            export.cut(found.paths, *span, target, found.dating.wall)
        return
    clip = export.cut(found.paths, *span, target, found.dating.wall)
    shown = decoded(str(target))
    assert shown == [digest for _, digest in expected], span
    assert clip.pictures == len(expected), span
    assert abs(clip.start_wall_ns - expected[0][0]) < 1_000_000, span
    assert abs(clip.end_wall_ns - expected[-1][0] - S // RATE) < 1_000_000, span
    assert clip.error_ms is not None
    assert abs(clip.error_ms - 370) < 5 or clip.start_wall_ns > START_NS + 50 * S, "an hour of 100 ppm"


def run_spans(folder: Path, name: str, count: int, seed: int) -> None:
    found = scene(folder, name)
    for span in spans(count, seed):
        check(found, span, folder / "clip.out")


@pytest.mark.parametrize("name", CODINGS)
def test_random_spans_show_the_pictures_that_were_taken_in_them(tmp_path: Path, name: str) -> None:
    run_spans(tmp_path, name, 6, seed=1109)


@pytest.mark.slow
@pytest.mark.parametrize("name", CODINGS)
def test_a_thousand_random_spans_show_the_pictures_that_were_taken_in_them(tmp_path: Path, name: str) -> None:
    run_spans(tmp_path, name, 200, seed=2311)


def test_the_comparison_finds_a_clip_that_is_one_picture_off(tmp_path: Path) -> None:
    found = scene(tmp_path, "h264")
    shifted = Scene(found.paths, found.dating, [(at + S // RATE, digest) for at, digest in found.truth])
    with pytest.raises(AssertionError):
        check(shifted, (START_NS + 3 * S + 1, START_NS + 5 * S), tmp_path / "clip.out")


def coded(found: Medium) -> list[bytes]:
    """The octets of each picture in decoding order, without those that are too short to be told apart."""
    made = []
    for fragment in found.fragments:
        at = fragment.payload_at
        for sample in fragment.samples:
            made.append(fragment.octets[at : at + sample.size])
            at += sample.size
    return made


def leaks(name: str, span: tuple[int, int], clip: Path) -> list[int]:
    """Pictures from outside the span, by their place in decoding order, whose octets are in the file."""
    found, octets = medium(CODINGS[name]), clip.read_bytes()
    timing = [(one.offset, one.duration) for fragment in found.fragments for one in fragment.samples]
    lead, scale, base = timing[0][0], found.init.timescale, 0
    outside = []
    for number, (offset, duration) in enumerate(timing):
        at_ns = START_NS + (base + offset - lead) * S // scale
        base += duration
        if not span[0] <= at_ns < span[1]:
            outside.append(number)
    pictures = coded(found)
    return [number for number in outside if pictures[number] in octets]


def _cut(folder: Path, name: str, span: tuple[int, int], *, tight: bool) -> tuple[Path, Clip]:
    found = medium(CODINGS[name])
    path = write(folder / "0.mp4", found.init, found.fragments, 1, BEGIN_BOOT_NS, 3)

    def wall(_boot: int, boot_ns: int) -> Dated:
        return Dated(START_NS + boot_ns - BEGIN_BOOT_NS, 10)

    target = folder / "clip.out"
    return target, export.cut([path], *span, target, wall, tight=FFMPEG if tight else "")


SOON = ("h264 out of order", "h265")


@pytest.mark.parametrize(
    "name", [*SOON, *(pytest.param(one, marks=pytest.mark.slow) for one in CODINGS if one not in SOON)]
)
def test_a_tight_clip_has_no_picture_from_outside_its_span_in_the_file(tmp_path: Path, name: str) -> None:
    for first, after in [(33, 87), (58, 61)]:
        span = (START_NS + first * S // RATE - 1000, START_NS + after * S // RATE - 1000)
        loose, clip = _cut(tmp_path, name, span, tight=False)
        assert leaks(name, span, loose), "the search finds what a clip that is not tight holds"
        assert len(decoded(str(loose), b"", "-ignore_editlist", "1")) > clip.pictures
        target, clip = _cut(tmp_path, name, span, tight=True)
        assert leaks(name, span, target) == []
        shown = decoded(str(target))
        assert len(decoded(str(target), b"", "-ignore_editlist", "1")) == len(shown) == clip.pictures
        assert clip.pictures == after - first
        assert clip.hidden == 0
        as_recorded = medium(CODINGS[name]).pictures[first:after]
        middle = slice(-first % 20, len(shown) - after % 20)
        if after - first > 20 and "open" not in name:  # open groups need each other: all are coded anew
            assert shown[middle] == list(as_recorded[middle])
        assert sorted(one.name for one in tmp_path.iterdir()) == ["0.mp4", "clip.out"]


def test_cutting_takes_no_more_memory_for_a_longer_clip(tmp_path: Path) -> None:
    init = medium(CODINGS["h264"]).init
    path = tmp_path / "0.mp4"
    with path.open("wb") as file:
        file.write(init.octets)
        for second in range(1, 33):
            file.write(Mark(1, BEGIN_BOOT_NS + second * S, 0, 1000).box() + _large_fragment(init.timescale))
    tracemalloc.start()
    clip = export.cut([path], 0, 1 << 62, tmp_path / "clip.out", lambda _boot, at: Dated(at, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert clip.size_bytes > 64 << 20
    assert peak < 2 << 20


def _large_fragment(timescale: int) -> bytes:
    """A second of two pictures of a megabyte each, which nobody decodes."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    size = 1 << 20
    runs = struct.pack(">IIIIIIIII", 0x701, 2, 0, timescale // 2, size, 0, timescale // 2, size, 0x10000)
    traf = box(b"tfhd", struct.pack(">II", 0x20000, 1)) + box(b"trun", runs)
    length = 8 + len(box(b"traf", traf))
    runs = struct.pack(">III", 0x701, 2, length + 8) + runs[12:]
    traf = box(b"tfhd", struct.pack(">II", 0x20000, 1)) + box(b"trun", runs)
    return box(b"moof", box(b"traf", traf)) + box(b"mdat", bytes(2 * size))
