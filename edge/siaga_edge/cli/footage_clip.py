"""`siaga-node footage clip`: copies footage out of the node, under a grant that the hub has signed.

Nothing is written before the recorder has put the use on record: its journal reaches the hub's camera log.
"""

import getpass
import os
import secrets
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.errors import SiagaError
from siaga_core.wib import shown
from siaga_core.wire.grant import Grant
from siaga_edge.cli.footage_report import footage_of, known_camera, settings_of
from siaga_edge.cli.progress import Progress
from siaga_edge.node import NodeConfig
from siaga_edge.recorder import export, granting, pictures
from siaga_edge.recorder.choice import choose
from siaga_edge.recorder.export import Clip, NoFootage
from siaga_edge.recorder.granting import Answer, Ended, Request
from siaga_edge.recorder.pictures import Wall
from siaga_edge.recorder.recoding import NotRecoded
from siaga_edge.recorder.retention import Stored
from siaga_edge.recorder.writing import segment_path

ANSWERED_WITHIN_S = 15.0
_POLL_S = 0.1


class ClipRefused(SiagaError):
    """Nothing was copied."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The clip as it lies there."""

    file: str
    grant: str
    camera: str
    clip: Clip
    tight: bool

    @property
    def status(self) -> int:
        """0: all of the span; 3: it has gaps."""
        return 3 if self.clip.gaps else 0


def copy(
    config: NodeConfig,
    camera: str,
    span: tuple[int, int],
    grant_file: Path,
    out: Path,
    *,
    tight: bool,
    wait: Callable[[float], None] = time.sleep,
) -> Copied:
    """Copy a span into `out`. Raises ClipRefused, NoFootage, and what `footage_of` raises."""
    settings = settings_of(config)
    octets = _read(grant_file)
    _check_target(out)
    with footage_of(config) as finder:
        known_camera(config, finder, camera)
        stored = finder.between(camera, *span)
        _check_dated(stored)
        paths = [segment_path(settings.footage_dir, one.name) for one in stored]
        wall = finder.dating.wall
        asked = Request(
            use=secrets.token_hex(6),
            file=octets,
            camera=camera,
            start_wall_ns=span[0],
            end_wall_ns=span[1],
            tight=tight,
            who=getpass.getuser(),
        )
        first_ns, last_ns = _reaches(paths, span, wall)
        grant = _granted(config, asked, wait)
        ended = _Ending(config, asked, grant)
        if not tight and first_ns < grant.start_wall_ns:
            raise ended.failed(
                "without --tight the file would begin with pictures from before what was granted"
                f" ({shown(first_ns)}); add --tight, or begin later"
            )
        if not tight and last_ns >= grant.end_wall_ns:
            raise ended.failed(
                "without --tight the file would hold pictures from after what was granted"
                f" ({shown(last_ns)}); add --tight, or end earlier"
            )
        try:
            with closing(Progress("clip", sum(one.size_bytes for one in stored))) as progress:
                clip = _cut(paths, span, out, wall, settings.ffmpeg if tight else "", progress)
        except (NoFootage, NotRecoded, OSError) as error:
            raise ended.failed(str(error)) from error
    ended.done(clip)
    return Copied(str(out), grant.id, camera, clip, tight)


def page(made: Copied) -> str:
    """What a technician reads, Indonesian first."""
    clip = made.clip
    start, end = (shown(at_ns, clip.error_ms) for at_ns in (clip.start_wall_ns, clip.end_wall_ns))
    lines = [
        f"{made.file}  {clip.size_bytes / 1e6:.1f} MB  {clip.pictures} gambar/pictures",
        f"{made.camera}  {start} - {end}",
        f"sha256 {clip.sha256}",
        f"izin/grant {made.grant}; tercatat dan dilaporkan ke pusat/on record and told to the hub",
    ]
    for start_ns, end_ns in clip.gaps:
        lines.append(f"  ! tidak ada/missing {shown(start_ns)} - {shown(end_ns, day=False)}")
    for start_ns, end_ns in clip.silent:
        span = f"{shown(start_ns)} - {shown(end_ns, day=False)}"
        lines.append(f"  ! tanpa suara, sandinya lain/without sound, it was coded otherwise {span}")
    if clip.hidden:
        lines.append(f"  ! {clip.hidden} gambar tersembunyi sebelum awal/hidden pictures before its begin")
    return "\n".join(lines)


def row(made: Copied) -> dict[str, Any]:
    """For JSON."""
    return asdict(made)


class _Ending:
    """Tells the recorder what became of a use."""

    def __init__(self, config: NodeConfig, asked: Request, grant: Grant) -> None:
        self._config, self._asked, self._grant = config, asked, grant

    def done(self, clip: Clip) -> None:
        self._tell("done", "", clip.size_bytes, clip.sha256)

    def failed(self, why: str) -> ClipRefused:
        self._tell("failed", why, 0, "")
        return ClipRefused(why)

    def _tell(self, state: str, detail: str, size_bytes: int, sha256: str) -> None:
        asked = self._asked
        said = Ended(
            use=asked.use,
            state="done" if state == "done" else "failed",
            grant=self._grant,
            camera=asked.camera,
            start_wall_ns=asked.start_wall_ns,
            end_wall_ns=asked.end_wall_ns,
            who=asked.who,
            tight=asked.tight,
            detail=detail[:400],
            size_bytes=size_bytes,
            sha256=sha256,
        )
        granting.put_end(self._config.node.data_dir, said)


def _read(grant_file: Path) -> bytes:
    try:
        return grant_file.read_bytes()
    except OSError as error:
        raise ClipRefused(
            f"{grant_file} cannot be read ({error.strerror}); ask the hub for a grant:"
            " siaga-central footage grant"
        ) from error


def _check_target(out: Path) -> None:
    if out.exists():
        raise ClipRefused(f"{out} exists; name a new file")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ClipRefused(f"{out.parent} is no folder that can be written; mount the stick first")


def _check_dated(stored: list[Stored]) -> None:
    if not stored:
        raise NoFootage("there is no closed footage of this span; see `siaga-node footage find`")
    if any(one.error_ms is None for one in stored):
        raise ClipRefused(
            "when this footage was recorded is not certain: the clock of that boot was never set, so what a"
            " grant covers cannot be told from it; ask for it at the hub"
        )


def _reaches(paths: list[Path], span: tuple[int, int], wall: Wall) -> tuple[int, int]:
    """When the first and last picture were taken that a copy without new coding holds. Raises NoFootage."""
    found = (one for path in paths for one in pictures.of_segment(path, wall))
    return choose(found, *span, wall).reaches(wall)


def _granted(config: NodeConfig, asked: Request, wait: Callable[[float], None]) -> Grant:
    """The recorder's consent, on record. Raises ClipRefused."""
    answer_file = granting.put_request(config.node.data_dir, asked)
    for _ in range(round(ANSWERED_WITHIN_S / _POLL_S)):
        if answer_file.exists():
            answer = msgspec.json.decode(answer_file.read_bytes(), type=Answer)
            answer_file.unlink()
            if answer.refused or answer.grant is None:
                raise ClipRefused(f"refused: {answer.refused}")
            return answer.grant
        wait(_POLL_S)
    answer_file.with_suffix(".asked").unlink(missing_ok=True)
    raise ClipRefused("siaga-recorder does not answer; without its record nothing is copied: start it first")


def _cut(
    paths: list[Path], span: tuple[int, int], out: Path, wall: Wall, tight: str, progress: Progress
) -> Clip:
    part = out.with_name(f".{out.name}.part")

    def counted(path: Path) -> Path:
        progress.advance(path.stat().st_size)
        return path

    try:
        clip = export.cut((counted(path) for path in paths), *span, part, wall, tight=tight)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return clip
