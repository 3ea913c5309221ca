"""Cameras for benchmarks: 1080p25 H.264 of 4 Mbit/s each, coded once, sent by the simulator."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.place import free_port, until_open

FPS, GOP, RATE_BITS = 25, 50, 4_000_000
_FILM_S = 8.0


@dataclass(frozen=True, slots=True)
class Streams:
    """Where the cameras are."""

    port: int
    names: tuple[str, ...]

    def url(self, name: str) -> str:
        """A camera's RTSP address; nobody has to log in."""
        return f"rtsp://127.0.0.1:{self.port}/{name}"

    @property
    def urls(self) -> list[str]:
        """All of them."""
        return [self.url(name) for name in self.names]


@contextmanager
def streams(count: int, film_s: float = _FILM_S) -> Iterator[Streams]:
    """So many cameras in one process of their own, each at another picture of the same film."""
    with tempfile.TemporaryDirectory(prefix="siaga-streams-") as place:
        film, port = Path(place) / "film.h264", free_port()
        _code(film, film_s)
        names = tuple(f"cam-{number}" for number in range(count))
        command = [sys.executable, "-m", "siaga_edge.simulate.camera", "--port", str(port)]
        command += ["--control", str(Path(place) / "control.sock"), "--cameras", ",".join(names)]
        command += ["--size", "1920x1080", "--fps", str(FPS), "--gop", str(GOP), "--video", str(film)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            until_open(port)
            yield Streams(port, names)
        finally:
            process.terminate()
            process.wait(10)


def _code(film: Path, film_s: float) -> None:
    """Noise over a test pattern, at a constant bit rate: the size of the pictures is what matters here."""
    source = f"testsrc2=s=1920x1080:r={FPS},noise=alls=8:allf=t:all_seed=7"
    rate = [f"-{name}" for name in ("b:v", "minrate", "maxrate", "bufsize")]
    command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", source, "-t", str(film_s)]
    command += ["-c:v", "libx264", "-profile:v", "baseline", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    command += [word for name in rate for word in (name, str(RATE_BITS))]
    x264 = f"keyint={GOP}:min-keyint={GOP}:scenecut=0:bframes=0:aud=1:sliced-threads=0"
    subprocess.run([*command, "-x264-params", x264, "-f", "h264", str(film)], check=True, timeout=120)
