"""What the simulated cameras see: encoded once by ffmpeg, then kept in a cache."""

import functools
import hashlib
import os
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from siaga_core.errors import SiagaError
from siaga_edge.simulate.camera import h264, h265, sound
from siaga_edge.simulate.camera.coded import Codec, Stream
from siaga_edge.simulate.camera.sound import Audio, Sound

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
    codec: Codec = "h264"
    flash: bool = False  # a white corner while the tone of `sound` is heard

    @property
    def other(self) -> "Form":
        """The form after a change of parameters: a quarter of the area."""
        return replace(self, width=_even(self.width // 2), height=_even(self.height // 2))


class Scenes:
    """What one camera can show; each begins with a key picture and can be repeated without a seam.

    All but `normal` are coded when they are first asked for, which takes up to some seconds: see `prepare`.
    """

    def __init__(self, normal: Stream, code: Callable[[str], Stream]) -> None:
        """`code` gives the scene of a name. Raises SceneFailed."""
        self.normal, self._code = normal, code

    @functools.cached_property
    def frozen(self) -> Stream:
        """One picture again and again."""
        return self._code("frozen")

    @functools.cached_property
    def black(self) -> Stream:
        """Nothing."""
        return self._code("black")

    @functools.cached_property
    def night(self) -> Stream:
        """Darkness with the sensor's noise."""
        return self._code("night")

    @functools.cached_property
    def other(self) -> Stream:
        """In the form's other form: what it shows after a change of its parameters."""
        return self._code("other")

    def prepare(self, order: str) -> None:
        """Code what an order of this name will show. Raises SceneFailed."""
        if (name := _SHOWN_BY.get(order)) is not None:
            getattr(self, name)


_SHOWN_BY = {"freeze": "frozen", "black": "black", "night": "night", "change": "other"}


def default_folder() -> Path:
    """Where scenes are kept (XDG Base Directory Specification)."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "siaga" / "scenes"


def make(camera: str, form: Form, folder: Path, seed: int = 0, ffmpeg: str = "ffmpeg") -> Scenes:
    """Return the scenes of one camera; what is not in `folder` is coded. Raises SceneFailed."""
    pictures = max(2, 2 * round(_SCENE_S * form.fps / form.gop / 2)) * form.gop
    still = form.gop * 2  # two groups, because neighbouring key pictures must differ in idr_pic_id
    first, lively = form.fps * 3, _lively(camera, form, seed)
    # trim ends its input after the picture; select would wait for the source's end, which never comes.
    held = f"trim=start_frame={first}:end_frame={first + 1},loop=loop={still}:size=1,setpts=N"
    sources = {
        "normal": (lively, pictures, form),
        "frozen": (f"{lively},{held}", still, form),
        "black": (f"color=black:{_shape(form)}", still, form),
        "night": (_night(camera, form), pictures, form),
        "other": (_lively(camera, form.other, seed), still, form.other),
    }

    def code(name: str) -> Stream:
        return _stream(*sources[name], folder, ffmpeg)

    return Scenes(code("normal"), code)


def make_sound(audio: Audio, folder: Path, ffmpeg: str = "ffmpeg") -> Sound | None:
    """Return the sound of a camera, coding it unless it is in `folder`. Raises SceneFailed."""
    if audio == "none":
        return None
    command = sound.command(audio, ffmpeg)
    return sound.parse(audio, _kept(command, folder, audio))


def _even(length: int) -> int:
    return max(64, length // 2 * 2)


def of_file(path: Path) -> Scenes:
    """One film for every mode, whatever its bit rate. Raises SceneFailed."""
    try:
        film = h264.parse(path.read_bytes())
    except (OSError, ValueError, KeyError) as error:
        raise SceneFailed(f"{path} cannot be shown: {error}; code it with x264's aud=1, -f h264") from error
    return Scenes(film, lambda _name: film)


def _shape(form: Form) -> str:
    return f"size={form.width}x{form.height}:rate={form.fps}"


def _lively(camera: str, form: Form, seed: int) -> str:
    """A moving pattern in a colour of its own, with the camera's name and a counter."""
    degrees = (zlib.crc32(camera.encode()) + seed * 67) % 360
    flash = ""
    if form.flash:
        corner = f"x={form.width * 3 // 4}:y=0:w={form.width // 4}:h={form.height // 4}:color=white:t=fill"
        flash = f",drawbox={corner}:enable=lt(mod(t+0.001\\,1)\\,{sound.TONE_S})"
    return f"testsrc2={_shape(form)},hue=h={degrees}{_caption(camera, form)}{flash}"


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


def _stream(source: str, pictures: int, form: Form, folder: Path, ffmpeg: str) -> Stream:
    coded = _kept(_command(source, pictures, form, ffmpeg), folder, form.codec)
    return h264.parse(coded) if form.codec == "h264" else h265.parse(coded)


def _kept(command: list[str], folder: Path, ending: str) -> bytes:
    """What the command makes, from the cache if it was made before."""
    path = folder / f"{hashlib.sha256(repr(command).encode()).hexdigest()[:24]}.{ending}"
    try:
        return path.read_bytes()
    except OSError:
        folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    _encode([*command, str(part)])
    part.replace(path)
    return path.read_bytes()


def _command(source: str, pictures: int, form: Form, ffmpeg: str) -> list[str]:
    """Constant quantiser and no adaptive choice, so that a still picture is coded the same every time."""
    groups = f"keyint={form.gop}:min-keyint={form.gop}:scenecut=0:bframes=0:aq-mode=0"
    if form.codec == "h264":
        coding = ["-c:v", "libx264", "-profile:v", "baseline", "-qp", "30", "-x264-params"]
        coding.append(f"{groups}:aud=1:sliced-threads=0")
    else:
        coding = ["-c:v", "libx265", "-x265-params"]
        coding.append(f"{groups}:qp=30:aud=1:open-gop=0:pools=none:frame-threads=1:info=0:log-level=none")
    return [
        *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y"),
        *("-f", "lavfi", "-i", source, "-frames:v", str(pictures), "-r", str(form.fps)),
        *coding,
        *("-preset", "veryfast", "-pix_fmt", "yuv420p", "-threads", "1"),
        *("-f", "h264" if form.codec == "h264" else "hevc"),
    ]


def _encode(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603 - our own words
    except FileNotFoundError as error:
        raise SceneFailed(f"{command[0]}: no such program; install ffmpeg with libx264") from error
    except subprocess.SubprocessError as error:
        stderr = getattr(error, "stderr", None) or b""
        raise SceneFailed(f"ffmpeg made no scene: {stderr.decode(errors='replace')[-400:]}") from error
