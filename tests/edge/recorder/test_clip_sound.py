"""A clip is heard as it is seen: a tone that begins on each whole second is decoded where it belongs."""

import functools
import re
import subprocess
from pathlib import Path

import pytest

from siaga_edge.recorder import export
from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.fragments import Fragment, Init, Mark, Parser

S = 10**9
START_NS = 1_795_000_000 * S
START_BOOT_NS = 100 * S
_CODINGS = {
    "aac": ("mp4", "-c:a", "aac", "-ar", "16000"),
    "alaw": ("mov", "-c:a", "pcm_alaw", "-ar", "8000"),
    "ulaw": ("mov", "-c:a", "pcm_mulaw", "-ar", "8000"),
}


@functools.cache
def _media(coding: str) -> tuple[Init, tuple[Fragment, ...]]:
    """12 s, key pictures each 2 s, a tone for 0.1 s at each whole second."""
    container, *audio = _CODINGS[coding]
    tone = "aevalsrc=0.5*sin(2*PI*1000*t)*lt(mod(t\\,1)\\,0.1):s=16000"
    source = ["-f", "lavfi", "-i", "testsrc2=s=160x120:r=10", "-f", "lavfi", "-i", tone, "-t", "12"]
    coded = ["-c:v", "libx264", "-bf", "0", "-g", "20", *audio, "-ac", "1", "-frag_duration", "460000"]
    moves = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", container, "pipe:1"]
    command = ["ffmpeg", "-v", "error", *source, *coded, *moves]
    made = list(Parser().feed(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout))
    assert isinstance(made[0], Init)
    return made[0], tuple(one for one in made[1:] if isinstance(one, Fragment))


def _segments(folder: Path, coding: str, *, missing: range = range(0)) -> list[Path]:
    """Two segments; fragments of the `missing` seconds are left out."""
    init, fragments = _media(coding)
    made: list[bytes] = [init.octets, init.octets]
    end_ns = 0
    for fragment in fragments:
        begin_ns, end_ns = end_ns, end_ns + fragment.duration * S // init.timescale
        if not missing or not missing.start <= begin_ns / S + 0.01 < missing.stop:
            mark = Mark(1, START_BOOT_NS + end_ns, 0, (end_ns - begin_ns) // 10**6)
            made[0 if begin_ns < 6 * S - S // 100 else 1] += mark.box() + fragment.octets
    paths = [folder / "1.mp4", folder / "2.mp4"]
    for path, octets in zip(paths, made, strict=True):
        path.write_bytes(octets)
    return paths


def _wall(_boot: int, boot_ns: int) -> Dated:
    return Dated(START_NS + boot_ns - START_BOOT_NS, 10)


def _tones(path: Path, *options: str) -> list[float]:
    """When a tone begins, as a player hears it."""
    heard = "aresample=async=1:first_pts=0,silencedetect=noise=0.03:d=0.2"
    command = ["ffmpeg", "-hide_banner", "-nostdin", *options, "-i", str(path), "-vn", "-af", heard]
    command += ["-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    ends = [float(one) for one in re.findall(r"silence_end: ([\d.]+)", done.stderr)]
    length = re.findall(r"time=00:00:([\d.]+)", done.stderr)[-1]
    return [one for one in ends if one < float(length) - 0.05]


def _expected(coding: str, clip: export.Clip, first_s: int, last_s: int) -> list[float]:
    """When the tones of these seconds begin in the clip.

    ffmpeg's AAC begins with an empty frame 64 ms before the first picture: seconds are so much later.
    """
    begin_s = (clip.start_wall_ns - START_NS) / S - (0.064 if coding == "aac" else 0)
    return [second - begin_s for second in range(first_s, last_s + 1)]


def _off(tones: list[float], expected: list[float]) -> list[float]:
    """How far each expected tone is from the nearest that is heard."""
    return [min((abs(tone - one) for tone in tones), default=9.0) for one in expected]


def _cut(
    folder: Path, coding: str, begin_s: float, end_s: float, *, missing: range = range(0), tight: str = ""
) -> tuple[Path, export.Clip]:
    paths, target = _segments(folder, coding, missing=missing), folder / "clip.mp4"
    begin, end = (START_NS + int(at * S) for at in (begin_s, end_s))
    return target, export.cut(paths, begin, end, target, _wall, tight=tight)


@pytest.mark.parametrize("coding", list(_CODINGS))
def test_a_tone_is_heard_where_it_belongs_across_two_segments(tmp_path: Path, coding: str) -> None:
    target, clip = _cut(tmp_path, coding, 3.25, 9.45)
    assert max(_off(_tones(target), _expected(coding, clip, 4, 9))) < 0.02
    assert clip.pictures == 62


@pytest.mark.parametrize("coding", ["aac", "alaw"])
def test_sound_stays_with_the_pictures_over_a_gap(tmp_path: Path, coding: str) -> None:
    target, clip = _cut(tmp_path, coding, 3.25, 11.45, missing=range(4, 8))
    assert clip.gaps
    assert max(_off(_tones(target), _expected(coding, clip, 9, 11))) < 0.05


@pytest.mark.parametrize("coding", ["aac", "alaw"])
def test_a_tight_clip_has_its_sound_and_none_from_before(tmp_path: Path, coding: str) -> None:
    target, clip = _cut(tmp_path, coding, 3.25, 8.45, tight="ffmpeg")
    assert clip.hidden == 0
    assert max(_off(_tones(target), _expected(coding, clip, 4, 8))) < 0.05
    assert probe(target, "a")[1] <= 5.2
    everything = _tones(target, "-ignore_editlist", "1")
    assert len(everything) == 5, "not one tone more is in the file"


def _coded_twice(
    folder: Path, codings: tuple[str, str], begin_s: float, end_s: float
) -> tuple[Path, export.Clip]:
    """A clip of a segment of the first coding, and the next of the second."""
    paths = []
    for number, coding in enumerate(codings):
        (folder / coding).mkdir()
        paths.append(_segments(folder / coding, coding)[number])
    begin, end = (START_NS + int(at * S) for at in (begin_s, end_s))
    target = folder / "clip.mp4"
    return target, export.cut(paths, begin, end, target, _wall)


@pytest.mark.parametrize("codings", [("alaw", "aac"), ("alaw", "ulaw"), ("aac", "alaw")])
@pytest.mark.parametrize(("begin_s", "end_s", "kept"), [(1.25, 8.45, 0), (3.25, 11.45, 1)])
def test_where_the_coding_changes_the_longer_part_is_heard_and_the_rest_said_to_be_silent(
    tmp_path: Path, codings: tuple[str, str], begin_s: float, end_s: float, kept: int
) -> None:
    target, clip = _coded_twice(tmp_path, codings, begin_s, end_s)
    heard = range(2, 6) if kept == 0 else range(7, 12)
    assert max(_off(_tones(target), _expected(codings[kept], clip, heard[0], heard[-1]))) < 0.05
    [(from_ns, to_ns)] = clip.silent
    silent_s = ((from_ns - START_NS) / S, (to_ns - START_NS) / S)
    assert silent_s == pytest.approx((6, end_s) if kept == 0 else (begin_s, 6), abs=0.15)
    assert abs(clip.pictures - (end_s - begin_s) * 10) <= 1
    complaints = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(target), "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    assert complaints == ""


def test_the_check_finds_sound_that_is_late(tmp_path: Path) -> None:
    target, clip = _cut(tmp_path, "aac", 3.25, 9.45)
    late = [one + 0.1 for one in _expected("aac", clip, 4, 9)]
    assert max(_off(_tones(target), late)) > 0.05


def test_ffprobe_sees_both_tracks_of_one_length(tmp_path: Path) -> None:
    target, _ = _cut(tmp_path, "alaw", 3.25, 9.45)
    (heard, heard_s), (seen, seen_s) = probe(target, "a"), probe(target, "v")
    assert (heard, seen) == ("pcm_alaw", "h264")
    assert abs(heard_s - seen_s) < 0.1


def probe(path: Path, kind: str) -> tuple[str, float]:
    """Codec and length of a track."""
    command = ["ffprobe", "-v", "error", "-select_streams", kind, "-show_entries"]
    command += ["stream=codec_name,duration", "-of", "default=nw=1", str(path)]
    rows = dict(line.split("=") for line in subprocess.check_output(command, text=True).split())
    return rows["codec_name"], float(rows["duration"])
