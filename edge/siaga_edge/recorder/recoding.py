"""The first group of pictures coded anew from the asked picture on: nothing before it is in the file."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_edge.recorder.fragments import BadStream, Fragment, Init, Parser
from siaga_edge.recorder.pictures import Picture

# One group is a few seconds; a Raspberry Pi 4 codes 1080p at about 15 pictures a second.
LIMIT_S = 300.0
# libx264's scale: 17 to 18 is nearly as the eye sees it (x264's documentation).
QUALITY = "17"


class NotRecoded(SiagaError):
    """The first group could not be coded anew; nothing was released."""


def coded_again(program: str, group: Path, target: Path, shown: Sequence[Picture]) -> list[Picture]:
    """The shown pictures of `group` (a movie with an edit list), coded into `target`. Raises NotRecoded.

    There are as many as were shown and each keeps its time.
    """
    target.write_bytes(_run(_command(program, group, shown[0].init)))
    made = _read(target)
    if len(made) != len(shown):
        raise NotRecoded(f"the first group gave {len(made)} pictures instead of {len(shown)}")
    return [
        replace(new, wall_ns=old.wall_ns, error_ms=old.error_ms) for new, old in zip(made, shown, strict=True)
    ]


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
        raise NotRecoded(f"the first group was not coded anew: {error}") from error
    if ended.returncode or not ended.stdout:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        raise NotRecoded(f"the first group was not coded anew: {said[-1] if said else 'ffmpeg said nothing'}")
    return ended.stdout


def _read(path: Path) -> list[Picture]:
    parser, made = Parser(), []
    try:
        for part in parser.feed(path.read_bytes()):
            if isinstance(part, Fragment) and parser.init is not None:
                at = parser.consumed - len(part.octets) + part.payload_at
                for sample in part.samples:
                    made.append(Picture(0, None, parser.init, sample, path, at))
                    at += sample.size
    except BadStream as error:
        raise NotRecoded(f"the first group came back unreadable: {error}") from error
    return made
