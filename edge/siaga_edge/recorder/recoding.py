"""Groups of pictures at the edges of a clip coded anew: nothing from outside the span is in the file."""

import itertools
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_edge.recorder.choice import Choice
from siaga_edge.recorder.dating import Dated
from siaga_edge.recorder.fragments import Init
from siaga_edge.recorder.pictures import Strip, Wall
from siaga_edge.recorder.scan import Found, scan

# One group is a few seconds; a Raspberry Pi 4 codes 1080p at about 15 pictures a second.
LIMIT_S = 300.0
# libx264's scale: 17 to 18 is nearly as the eye sees it (x264's documentation).
QUALITY = "17"


class NotRecoded(SiagaError):
    """A group at an edge could not be coded anew; nothing was released."""


def groups(strips: Iterable[Strip], wall: Wall) -> Iterator[list[Strip]]:
    """Strips cut where what follows can be decoded alone: at key pictures that are seen first."""
    group: list[Strip] = []
    for following in _at_keys(strips, wall):
        seen = [at for one in following for at in one.seen(wall)]
        if group and min(seen) == seen[0]:
            yield group
            group = []
        group += following
    if group:
        yield group


def _at_keys(strips: Iterable[Strip], wall: Wall) -> Iterator[list[Strip]]:
    group: list[Strip] = []
    for strip in strips:
        keys = [n for n, is_key in enumerate(strip.columns.keys) if is_key]
        edges = sorted({0, *keys, len(strip.columns.sizes)})
        for first, after in itertools.pairwise(edges):
            if first in keys and group:
                yield group
                group = []
            group.append(strip.part(first, after, wall))
    if group:
        yield group


def coded_again(program: str, old: Path, target: Path, group: Choice) -> list[Strip]:
    """The shown pictures of the movie `old`, which `group` became, coded into `target`. Raises NotRecoded.

    There are as many as were shown and each keeps its time.
    """
    first = group.strips[0]
    target.write_bytes(_run(_command(program, old, first.init)))
    made = list(scan(target))
    count = sum(len(one.columns.sizes) for one in made)
    if count != group.pictures:
        raise NotRecoded(f"a group of pictures came back as {count} instead of {group.pictures}")
    errors = [error for one in group.strips for error in (one.began.error_ms, one.ended.error_ms)]
    error_ms = None if None in errors else max(error for error in errors if error is not None)
    return list(_dated(made, target, first, group.start_wall_ns, error_ms))


def _dated(
    made: Iterable[Found], path: Path, old: Strip, begin_ns: int, error_ms: int | None
) -> Iterator[Strip]:
    """Coded in the order in which they are seen, and seen as late after decoding as those around them."""
    for one in made:
        scale = one.init.timescale
        lead = old.lead * scale // old.init.timescale
        columns = replace(one.columns, offsets=(lead,) * len(one.columns.sizes))
        end_ns = begin_ns + sum(columns.durations) * 1_000_000_000 // scale
        began, ended = Dated(begin_ns, error_ms), Dated(end_ns, error_ms)
        yield Strip(one.init, columns, path, one.at, 0, lead, old.boot_seq, old.begin_boot_ns, began, ended)
        begin_ns = end_ns


def _command(program: str, group: Path, init: Init) -> list[str]:
    hevc = b"hvc1" in init.octets or b"hev1" in init.octets
    codec = ["libx265", "-x265-params", "log-level=none:bframes=0"] if hevc else ["libx264", "-bf", "0"]
    coding = ["-c:v", *codec, "-crf", QUALITY, "-preset", "veryfast", "-fps_mode", "passthrough"]
    scale = ["-enc_time_base", "-1", "-video_track_timescale", str(init.timescale)]
    moves = ["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1"]
    return [program, "-nostdin", "-v", "error", "-i", str(group), "-an", *coding, *scale, *moves]


def _run(command: list[str]) -> bytes:
    try:
        ended = subprocess.run(command, capture_output=True, timeout=LIMIT_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotRecoded(f"a group of pictures was not coded anew: {error}") from error
    if ended.returncode or not ended.stdout:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        why = said[-1] if said else "ffmpeg said nothing"
        raise NotRecoded(f"a group of pictures was not coded anew: {why}")
    return ended.stdout
