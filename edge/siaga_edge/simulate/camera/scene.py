"""What the simulated cameras see: encoded once by ffmpeg, then kept in a cache."""

import hashlib
import os
import subprocess
import zlib
from dataclasses import dataclass
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_edge.simulate.camera import h264

_FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono-Bold.ttf",
    "/usr/share/fonts/truetype/liberation/LiberationMono-Bold.ttf",
)
_SCENE_S = 30  # long enough that a person sees it move on; it begins again after that


class SceneFailed(SiagaError):
    """ffmpeg could not make a scene; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Form:
    """Shape of the coded video."""

    width: int = 640
    height: int = 360
    fps: int = 10
    gop: int = 10


@dataclass(frozen=True, slots=True)
class Scenes:
    """What one camera can show; each begins with a key picture and can be repeated without a seam."""

    normal: h264.Stream
    frozen: h264.Stream
    black: h264.Stream
    night: h264.Stream


def default_folder() -> Path:
    """Where scenes are kept (XDG Base Directory Specification)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "siaga" / "scenes"


def make(camera: str, form: Form, folder: Path, seed: int = 0, ffmpeg: str = "ffmpeg") -> Scenes:
    """Return the scenes of one camera, encoding those that are not in `folder`. Raises SceneFailed."""
    groups = max(2, 2 * round(_SCENE_S * form.fps / form.gop / 2))

    def stream(source: str, pictures: int) -> h264.Stream:
        return _stream(source, pictures, form, folder, ffmpeg)

    still = form.gop * 2  # two groups, because neighbouring key pictures must differ in idr_pic_id
    lively = _lively(camera, form, seed)
    picture = f"start_frame={form.fps * 3}:end_frame={form.fps * 3 + 1}"
    return Scenes(
        normal=stream(lively, groups * form.gop),
        # trim ends its input after the picture; select would wait for the source's end, which never comes.
        frozen=stream(f"{lively},trim={picture},loop=loop={still}:size=1,setpts=N", still),
        black=stream(f"color=black:{_shape(form)}", still),
        night=stream(_night(camera, form), groups * form.gop),
    )


def of_file(path: Path) -> Scenes:
    """One film for every mode, whatever its bit rate. Raises SceneFailed."""
    try:
        film = h264.parse(path.read_bytes())
    except (OSError, ValueError, KeyError) as error:
        raise SceneFailed(f"{path} cannot be shown: {error}; code it with x264's aud=1, -f h264") from error
    return Scenes(normal=film, frozen=film, black=film, night=film)


def _shape(form: Form) -> str:
    return f"size={form.width}x{form.height}:rate={form.fps}"


def _lively(camera: str, form: Form, seed: int) -> str:
    """A moving pattern in a colour of its own, with the camera's name and a counter."""
    degrees = (zlib.crc32(camera.encode()) + seed * 67) % 360
    return f"testsrc2={_shape(form)},hue=h={degrees}{_caption(camera, form)}"


def _night(camera: str, form: Form) -> str:
    """A street at night: nothing moves but the sensor's noise and the clock in the corner."""
    lamp = f"drawbox=x={form.width // 3}:y={form.height // 4}:w=40:h=24:color=0x8a7a50:t=fill"
    noise = f"noise=alls=6:allf=t:all_seed={zlib.crc32(camera.encode()) % 10000}"
    return f"color=0x202428:{_shape(form)},{lamp},{noise}{_caption(camera, form)}"


def _caption(camera: str, form: Form) -> str:
    font = next((name for name in _FONTS if Path(name).exists()), None)
    if font is None:
        return ""
    size = form.height // 8
    place = f"x=10:y=10:fontsize={size}:fontcolor=white:box=1:boxcolor=black@0.6"
    return f",drawtext=fontfile={font}:{place}:text='{camera} %{{n}}'"


def _stream(source: str, pictures: int, form: Form, folder: Path, ffmpeg: str) -> h264.Stream:
    command = _command(source, pictures, form, ffmpeg)
    path = folder / f"{hashlib.sha256(repr(command).encode()).hexdigest()[:24]}.h264"
    try:
        return h264.parse(path.read_bytes())
    except (OSError, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _encode([*command, str(part)])
    part.replace(path)
    return h264.parse(path.read_bytes())


def _command(source: str, pictures: int, form: Form, ffmpeg: str) -> list[str]:
    """Constant quantiser and no adaptive choice, so that a still picture is coded the same every time."""
    x264 = f"keyint={form.gop}:min-keyint={form.gop}:scenecut=0:bframes=0:aud=1:sliced-threads=0:aq-mode=0"
    return [
        *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "lavfi", "-i", source, "-frames:v", str(pictures), "-r", str(form.fps)),
        *("-c:v", "libx264", "-profile:v", "baseline", "-preset", "veryfast", "-qp", "30"),
        *("-pix_fmt", "yuv420p", "-threads", "1", "-x264-params", x264, "-f", "h264"),
    ]


def _encode(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own words
    except FileNotFoundError as error:
        raise SceneFailed(f"{command[0]}: no such program; install ffmpeg with libx264") from error
    except subprocess.SubprocessError as error:
        stderr = getattr(error, "stderr", None) or b""
        raise SceneFailed(f"ffmpeg made no scene: {stderr.decode(errors='replace')[-400:]}") from error
