"""A clip of 110 s, cut exact to the picture, against the cheapest ffmpeg recipe that is exact too."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Figure, at_most
from siaga_edge.recorder import export
from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.fragments import Fragment, Init, Mark, Parser

GOAL = "ratio <= 0.25"
LIMIT = 0.25
RUNS = 7
RATE = 25
# The span begins and ends in the middle of a group of 50 pictures and reaches over three segments.
FIRST, AFTER = 309, 3059
SEGMENT_S = 60
_S = 10**9
_WALL_NS, _BOOT_NS = 1_795_000_000 * _S, 100 * _S
_CODING = "-c:v libx264 -preset ultrafast -bf 0 -g 50 -keyint_min 50 -sc_threshold 0 -pix_fmt yuv420p"
_RATE = "-b:v 4M -minrate 4M -maxrate 4M -bufsize 4M -x264-params nal-hrd=cbr"
_FRAGMENTS = "-frag_duration 1000000 -movflags frag_keyframe+empty_moov+default_base_moof"
# The same span in seconds, half a picture early, as a person who wants these pictures has to say it.
_SS, _T = f"{(FIRST - 0.5) / RATE}", f"{(AFTER - FIRST) / RATE}"
_TO = f"{(AFTER - 0.5) / RATE}"
_WHOLE_PROCESS = """
import sys
from pathlib import Path
from siaga_edge.recorder import export
from siaga_edge.recorder.dating import Dated
target, start, end, offset, *paths = sys.argv[1:]
wall = lambda boot, at: Dated(at + int(offset), 10)
export.cut(map(Path, paths), int(start), int(end), Path(target), wall, hashed=False)
"""


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way to make the clip with ffmpeg: its arguments, but for the program and the target."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What a decoder shows of a film: MD5 of the first and last picture, and how many."""

    first: str
    last: str
    count: int


def recipes(folder: Path, paths: list[Path]) -> list[Recipe]:
    """Ways to cut without coding anew; one that codes anew must decode first, which alone costs far more."""
    joined = f"concat:{'|'.join(map(str, paths))}"
    plain, edged = folder / "plain.txt", folder / "edged.txt"
    plain.write_text("".join(f"file '{path}'\n" for path in paths))
    first, *middle, last = (f"file '{path}'\n" for path in paths)
    edged.write_text(f"{first}inpoint {_SS}\n{''.join(middle)}{last}outpoint {_TO}\n")
    listed = ("-f", "concat", "-safe", "0")
    copy, moov_first = ("-c", "copy"), ("-movflags", "+faststart")
    return [
        Recipe("concat: protocol, -ss before -i, -t, copy", ("-ss", _SS, "-i", joined, "-t", _T, *copy)),
        Recipe("concat: protocol, -ss -to before -i, copy", ("-ss", _SS, "-to", _TO, "-i", joined, *copy)),
        Recipe(
            "concat: protocol, -ss before -i, -t, copy, +faststart",
            ("-ss", _SS, "-i", joined, "-t", _T, *copy, *moov_first),
        ),
        Recipe("concat: protocol, -ss after -i, copy", ("-i", joined, "-ss", _SS, "-t", _T, *copy)),
        Recipe(
            "concat demuxer, -ss before -i, -t, copy",
            (*listed, "-ss", _SS, "-i", str(plain), "-t", _T, *copy),
        ),
        Recipe("concat demuxer, inpoint and outpoint, copy", (*listed, "-i", str(edged), *copy)),
    ]


def run() -> list[Figure]:
    """CPU of the cut in a running recorder, of a whole process for it, and with the hash of what was cut."""
    with tempfile.TemporaryDirectory(prefix="siaga-bench-") as place:
        folder = Path(place)
        paths = list(_segments(folder))
        wanted = _wanted(paths)
        exact = _cheapest(folder, paths, wanted, moov_first=False)
        alike = _cheapest(folder, paths, wanted, moov_first=True)
        ours = folder / "ours.mp4"
        _cut(paths, ours, hashed=False)
        if shown(ours) != wanted:
            raise SystemExit(f"our clip shows {shown(ours)} instead of {wanted}")
        span = f"clip of 110 s, 1080p25 4 Mbit/s, {RATE * 110} pictures"
        return list(_figures(folder, paths, span, exact, alike))


def _figures(folder: Path, paths: list[Path], span: str, exact: Recipe, alike: Recipe) -> Iterator[Figure]:
    ours, theirs = folder / "ours.mp4", folder / "theirs.mp4"

    def cpu(name: str, mine: Callable[[], float], anchor: Callable[[], float], said: str) -> Figure:
        figure = f"{span}: CPU {name}"
        return at_most("clip", figure, "s", mine, anchor, anchor_is=said, limit=LIMIT, runs=RUNS)

    def of(recipe: Recipe) -> float:
        return _spent(_command(recipe, theirs), theirs)

    yield cpu("in the recorder", lambda: _cut(paths, ours, hashed=False), lambda: of(exact), exact.name)
    whole = _whole(paths, ours)
    yield _told(cpu("of a whole process", lambda: _spent(whole, ours), lambda: of(exact), exact.name))
    summed = ["openssl", "dgst", "-sha256", str(theirs)]
    yield _told(
        cpu(
            "in the recorder, with SHA-256",
            lambda: _cut(paths, ours, hashed=True),
            lambda: of(alike) + _spent(summed, None),
            f"{alike.name}; then openssl dgst",
        )
    )


def _told(figure: Figure) -> Figure:
    return replace(figure, goal="told", met=True)


def _segments(folder: Path) -> Iterator[Path]:
    """Three segments as the recorder keeps them, from pictures that carry their number."""
    source, length = folder / "source.mp4", 30
    picture = f"-f lavfi -i testsrc2=s=1920x1080:r={RATE} -t {length}"
    _ffmpeg(*f"{picture} {_CODING} {_RATE}".split(), str(source))
    loop = f"-stream_loop {3 * SEGMENT_S // length} -i {source} -c copy -video_track_timescale 90000"
    whole = folder / "whole.mp4"
    _ffmpeg(*f"{loop} {_FRAGMENTS}".split(), str(whole))
    parser, elapsed, number, init = Parser(), 0, 0, None
    segment, octets = b"", whole.read_bytes()
    for made in parser.feed(octets):
        if isinstance(made, Init):
            init, segment = made, made.octets
            continue
        assert init is not None
        if made.starts_with_key and elapsed >= (number + 1) * SEGMENT_S * init.timescale:
            yield _kept(folder / f"{number}.mp4", segment)
            number, segment = number + 1, init.octets
        elapsed += made.duration
        segment += _marked(made, elapsed, init)
        if number == 3:
            return


def _marked(fragment: Fragment, elapsed: int, init: Init) -> bytes:
    arrived_ns = _BOOT_NS + elapsed * _S // init.timescale
    return Mark(1, arrived_ns, 0, fragment.duration * 1000 // init.timescale).box() + fragment.octets


def _kept(path: Path, octets: bytes) -> Path:
    path.write_bytes(octets)
    return path


def _wanted(paths: list[Path]) -> Shown:
    """By decoding everything from the first segment's beginning."""
    return _shown(f"concat:{'|'.join(map(str, paths))}", FIRST, AFTER - 1)


def shown(path: Path) -> Shown:
    """What a player shows of a clip: MD5 of the first and of what must be the last picture."""
    return _shown(str(path), 0, AFTER - FIRST - 1)


def _shown(source: str, first: int, last: int) -> Shown:
    command = [_program(), "-nostdin", "-v", "error", "-i", source, "-fps_mode", "passthrough"]
    command += ["-vf", f"select=eq(n\\,{first})+eq(n\\,{last})", "-f", "framemd5", "pipe:1"]
    command += ["-fps_mode", "passthrough", "-f", "framecrc", "pipe:2"]
    ended = subprocess.run(command, check=True, capture_output=True)
    edges, every = (
        [line.rpartition(",")[2].strip() for line in text.decode().splitlines() if line[:1].isdigit()]
        for text in (ended.stdout, ended.stderr)
    )
    return Shown(edges[0], edges[-1], len(every) if first == 0 else last + 1 - first)


def _cheapest(folder: Path, paths: list[Path], wanted: Shown, *, moov_first: bool) -> Recipe:
    """The recipe of least CPU whose clip shows what is wanted; what each is, goes to standard error."""
    found: list[tuple[float, Recipe]] = []
    for recipe in recipes(folder, paths):
        target = folder / "recipe.mp4"
        if moov_first != ("+faststart" in recipe.arguments):
            continue
        cpu_s = min(_spent(_command(recipe, target), target) for _ in range(3))
        made = shown(target)
        what = "exact" if made == wanted else f"not exact: {made.count} pictures"
        if made != wanted and made.count == wanted.count:
            what = "not exact: other pictures at the edges"
        sys.stderr.write(f"clip: {recipe.name}: {cpu_s:.3f} s, {what}\n")
        if made == wanted:
            found.append((cpu_s, recipe))
    if moov_first:
        decoding = [_program(), "-v", "error", "-i", str(folder / "recipe.mp4"), "-f", "null", "-"]
        sys.stderr.write(f"clip: decoding alone, as coding anew must: {_spent(decoding, None):.1f} s\n")
    if not found:
        raise SystemExit("no recipe of ffmpeg is exact here")
    return min(found, key=lambda pair: pair[0])[1]


def _cut(paths: list[Path], target: Path, *, hashed: bool) -> float:
    """Make our clip; CPU seconds."""
    target.unlink(missing_ok=True)
    begin, end = _span()
    began_s = time.process_time()
    export.cut(paths, begin, end, target, _wall, hashed=hashed)
    return time.process_time() - began_s


def _wall(_boot: int, boot_ns: int) -> Dated:
    return Dated(boot_ns + _WALL_NS - _BOOT_NS, 10)


def _span() -> tuple[int, int]:
    begin, end = (_WALL_NS + (2 * number - 1) * _S // (2 * RATE) for number in (FIRST, AFTER))
    return begin, end


def _whole(paths: list[Path], target: Path) -> list[str]:
    begin, end = _span()
    numbers = [str(begin), str(end), str(_WALL_NS - _BOOT_NS)]
    return [sys.executable, "-c", _WHOLE_PROCESS, str(target), *numbers, *map(str, paths)]


def _command(recipe: Recipe, target: Path) -> list[str]:
    return [_program(), "-nostdin", "-v", "error", "-y", *recipe.arguments, str(target)]


def _spent(command: list[str], target: Path | None) -> float:
    """CPU seconds of a child; `target` is not there before."""
    if target is not None:
        target.unlink(missing_ok=True)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command[0]} ended with {child.returncode}")
    return used.ru_utime + used.ru_stime


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([_program(), "-nostdin", "-v", "error", "-y", *arguments], check=True)


def _program() -> str:
    return shutil.which("ffmpeg") or "ffmpeg"
