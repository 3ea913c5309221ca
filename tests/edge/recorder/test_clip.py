"""Clips are exact to the picture, say their gaps, and a tight one holds nothing from before the start."""

import functools
import random
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from siaga_edge.recorder import export
from siaga_edge.recorder.dating import Dated, Dating, Observation
from siaga_edge.recorder.export import NoFootage
from siaga_edge.recorder.fragments import Fragment, Init, Mark, Parser
from siaga_edge.recorder.pictures import Piece, begins, believable
from siaga_edge.recorder.scan import Columns, scan

S = 10**9
RATE = 10
START_NS = 1_795_000_000 * S
START_BOOT_NS = 100 * S
LASTS_S = 12


@functools.cache
def _media(codec: str = "libx264", size: str = "160x120") -> tuple[Init, tuple[Fragment, ...]]:
    """Every picture is another one; a key picture each 2 s; fragments of half a second."""
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={RATE}", "-t", str(LASTS_S)]
    quiet = ["-x265-params", "log-level=none:bframes=0:keyint=20:min-keyint=20"] if codec == "libx265" else []
    coding = ["-c:v", codec, "-bf", "0", "-g", "20", *quiet, "-frag_duration", "500000"]
    moves = ["-movflags", "empty_moov+default_base_moof", "-f", "mp4", "pipe:1"]
    command = ["ffmpeg", "-v", "error", *source, *coding, *moves]
    made = list(Parser().feed(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))
    assert isinstance(made[0], Init)
    return made[0], tuple(one for one in made[1:] if isinstance(one, Fragment))


def _write(
    path: Path,
    init: Init,
    fragments: Sequence[Fragment],
    begin_boot_ns: int,
    jitter: random.Random | None = None,
) -> Path:
    """A segment whose fragments arrive as they end, or up to 300 ms later."""
    elapsed, octets = 0, init.octets
    for number, fragment in enumerate(fragments):
        elapsed += fragment.duration * S // init.timescale
        late_ns = jitter.randrange(300_000_000) if jitter and number else 0
        arrived_ns = begin_boot_ns + elapsed + late_ns
        mark = Mark(1, arrived_ns, 0, fragment.duration * 1000 // init.timescale)
        octets += mark.box() + fragment.octets
    path.write_bytes(octets)
    return path


def _wall(_boot: int, boot_ns: int) -> Dated:
    return Dated(START_NS + boot_ns - START_BOOT_NS, 10)


def _decoded(path: Path, *options: str) -> list[str]:
    """MD5 of each picture as a player shows it."""
    command = ["ffmpeg", "-v", "error", *options, "-i", str(path), "-fps_mode", "passthrough"]
    ended = subprocess.run([*command, "-f", "framemd5", "-"], check=True, capture_output=True, timeout=60)
    lines = ended.stdout.decode().splitlines()
    return [line.rpartition(",")[2].strip() for line in lines if line and not line.startswith("#")]


@functools.cache
def _reference(codec: str = "libx264") -> tuple[str, ...]:
    init, fragments = _media(codec)
    command = ["ffmpeg", "-v", "error", "-i", "pipe:0", "-fps_mode", "passthrough", "-f", "framemd5", "-"]
    whole = init.octets + b"".join(one.octets for one in fragments)
    lines = subprocess.run(command, check=True, capture_output=True, input=whole).stdout.decode().splitlines()
    return tuple(line.rpartition(",")[2].strip() for line in lines if line and not line.startswith("#"))


def _two_segments(folder: Path, codec: str = "libx264", jitter: random.Random | None = None) -> list[Path]:
    init, fragments = _media(codec)
    half = next(n for n, one in enumerate(fragments) if n >= len(fragments) // 2 and one.starts_with_key)
    later_ns = sum(one.duration for one in fragments[:half]) * S // init.timescale
    return [
        _write(folder / "1.mp4", init, fragments[:half], START_BOOT_NS, jitter),
        _write(folder / "2.mp4", init, fragments[half:], START_BOOT_NS + later_ns, jitter),
    ]


def _spans(count: int, seed: int) -> list[tuple[int, int]]:
    rng = random.Random(seed)
    firsts = [rng.randrange(LASTS_S * RATE - 1) for _ in range(count)]
    return [(first, rng.randrange(first + 1, LASTS_S * RATE + 1)) for first in firsts]


def _cut_and_compare(folder: Path, paths: list[Path], span: tuple[int, int], codec: str = "libx264") -> None:
    first, after = span
    begin, end = (START_NS + n * S // RATE - S // RATE // 2 for n in (first, after))
    target = folder / "clip.mp4"
    clip = export.cut(paths, begin, end, target, _wall)
    assert _decoded(target) == list(_reference(codec)[first:after]), span
    assert (clip.pictures, clip.gaps, clip.error_ms) == (after - first, (), 10)
    assert abs(clip.start_wall_ns - (START_NS + first * S // RATE)) < 1_000_000


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_clip_begins_and_ends_with_the_pictures_asked_for_whatever_the_networks_jitter(
    tmp_path: Path, codec: str
) -> None:
    paths = _two_segments(tmp_path, codec, random.Random(7))
    for span in [(0, LASTS_S * RATE), (57, 63), *_spans(4, seed=112)]:
        _cut_and_compare(tmp_path, paths, span, codec)


def test_moov_comes_first_so_that_a_clip_plays_while_it_is_fetched(tmp_path: Path) -> None:
    export.cut(_two_segments(tmp_path), START_NS, START_NS + 5 * S, tmp_path / "clip.mp4", _wall)
    octets = (tmp_path / "clip.mp4").read_bytes()
    assert octets.find(b"moov") < octets.find(b"mdat")


def test_a_clock_set_late_dates_what_came_before_it(tmp_path: Path) -> None:
    dating = Dating(
        [
            Observation(1, 0, 0, "unknown", None),
            Observation(1, START_BOOT_NS + 3600 * S, START_NS + 3600 * S, "synced", 10),
        ]
    )
    clip = export.cut(_two_segments(tmp_path), START_NS, START_NS + S, tmp_path / "clip.mp4", dating.wall)
    assert abs(clip.start_wall_ns - START_NS) < S // RATE


def test_a_gap_is_told_and_the_picture_before_it_stands_still(tmp_path: Path) -> None:
    init, fragments = _media()
    keys = [n for n, one in enumerate(fragments) if one.starts_with_key]
    lasts_ns = sum(one.duration for one in fragments[: keys[1]]) * S // init.timescale
    paths = [
        _write(tmp_path / "1.mp4", init, fragments[: keys[1]], START_BOOT_NS),
        _write(tmp_path / "2.mp4", init, fragments[keys[1] :], START_BOOT_NS + lasts_ns + 30 * S),
    ]
    clip = export.cut(paths, START_NS, START_NS + 3600 * S, tmp_path / "clip.mp4", _wall)
    assert clip.gaps == ((START_NS + lasts_ns, START_NS + lasts_ns + 30 * S),)
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    said = subprocess.run([*probe, tmp_path / "clip.mp4"], check=True, capture_output=True).stdout
    assert float(said) == pytest.approx(LASTS_S + 30, abs=0.2)


def test_footage_on_both_sides_of_a_change_of_resolution_is_in_one_clip(tmp_path: Path) -> None:
    init, fragments = _media()
    other, others = _media(size="320x240")
    paths = [
        _write(tmp_path / "1.mp4", init, fragments, START_BOOT_NS),
        _write(tmp_path / "2.mp4", other, others, START_BOOT_NS + LASTS_S * S),
    ]
    clip = export.cut(paths, START_NS, START_NS + 3600 * S, tmp_path / "clip.mp4", _wall)
    assert clip.pictures == 2 * LASTS_S * RATE
    assert len(_decoded(tmp_path / "clip.mp4")) == 2 * LASTS_S * RATE


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_tight_clip_holds_no_picture_from_before_the_start(tmp_path: Path, codec: str) -> None:
    paths, target = _two_segments(tmp_path, codec), tmp_path / "clip.mp4"
    begin = START_NS + 33 * S // RATE - S // RATE // 2
    loose = export.cut(paths, begin, begin + 5 * S, target, _wall)
    everything = _decoded(target, "-ignore_editlist", "1")
    assert loose.hidden == 13, "the claim is worth something: a loose clip does hold them"
    assert _reference(codec)[20] in everything
    clip = export.cut(paths, begin, begin + 5 * S, target, _wall, tight=str(shutil.which("ffmpeg")))
    everything = _decoded(target, "-ignore_editlist", "1")
    assert (clip.hidden, clip.pictures, clip.start_wall_ns) == (0, loose.pictures, loose.start_wall_ns)
    assert len(everything) == clip.pictures == 50
    assert everything[7:] == list(_reference(codec)[40:83]), "from the next key picture on as recorded"
    assert [one.name for one in sorted(tmp_path.iterdir())] == ["1.mp4", "2.mp4", "clip.mp4"]


def test_a_span_without_footage_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(NoFootage, match="no footage"):
        export.cut(_two_segments(tmp_path), START_NS - 60 * S, START_NS - S, tmp_path / "clip.mp4", _wall)


def _columns(fragment: Fragment) -> Columns:
    return Columns(
        tuple(one.size for one in fragment.samples),
        tuple(one.duration for one in fragment.samples),
        tuple(one.offset for one in fragment.samples),
        tuple(one.is_sync for one in fragment.samples),
    )


def _pieces(count: int) -> list[Piece]:
    init, fragments = _media()
    piece = Piece(init, 1, START_BOOT_NS, _columns(fragments[0]), 0)
    return [replace(piece, arrived_boot_ns=START_BOOT_NS + n * piece.lasts_ns) for n in range(1, count + 1)]


def test_media_time_that_strays_from_arrival_begins_a_stretch_dated_by_arrival() -> None:
    pieces = _pieces(4)
    late = [*pieces[:2], *(replace(one, arrived_boot_ns=one.arrived_boot_ns + 5 * S) for one in pieces[2:])]
    steady, strayed = list(begins(pieces)), list(begins(late))
    assert [number for number, _ in steady] == [0, 0, 0, 0]
    assert strayed == [*steady[:2], *((1, at + 5 * S) for _, at in steady[2:])]


def test_a_picture_that_claims_to_last_for_hours_is_a_jump_of_the_cameras_clock() -> None:
    [piece] = _pieces(1)
    first, _, *others = durations = piece.columns.durations
    jumped = (first, 7200 * piece.init.timescale, *others)
    assert tuple(believable(jumped, piece.init.timescale)) == durations
    assert believable(durations, piece.init.timescale) is durations


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_what_is_read_by_headers_alone_is_what_the_recorder_parsed(tmp_path: Path, codec: str) -> None:
    init, fragments = _media(codec)
    path = _write(tmp_path / "1.mp4", init, fragments, START_BOOT_NS)
    found = list(scan(path))
    assert [one.columns for one in found] == [_columns(one) for one in fragments]
    octets = path.read_bytes()
    for one, fragment in zip(found, fragments, strict=True):
        payload = fragment.octets[fragment.payload_at :]
        assert octets[one.at : one.at + len(payload)] == payload
