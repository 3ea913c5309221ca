"""Looking at pictures with OpenCV: newest key picture in, measures and a JPEG out. The only cv2 here.

Works with OpenCV 4.10 and 5. Measures are taken on a grey picture of 320x180.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

# Read by OpenCV when it opens FFmpeg. Quiet, because FFmpeg's own messages repeat the URL with its password.
os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "rtsp_transport;tcp"

import cv2
import numpy as np
from numpy.typing import NDArray

from siaga_core.errors import SiagaError, Transient
from siaga_edge.cameras.judgement import Look

cv2.setNumThreads(1)

Pixels = NDArray[np.uint8]

_MEASURE_SIZE = (320, 180)
_MOST_FRAGMENT_BYTES = 16 * 1024 * 1024
_PICTURE_WIDTH, _JPEG_QUALITY = 640, 80
_FRAGMENT = re.compile(r"\d+\.m4s\Z")


class PictureUnreadable(SiagaError, Transient):
    """There is no picture, or what there is cannot be decoded; the message says which."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture, and when it came."""

    pixels: Pixels
    taken_wall_ns: int


class LiveFragments:
    """Reads `run_dir/live/<camera>/`: `init.mp4` and numbered `.m4s`, each beginning with a key picture.

    What goes on from one of them (`<number>-on.m4s`) cannot be decoded alone and is passed over.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last: tuple[int, int] | None = None  # number and mtime: a recorder that restarts counts anew

    def newest(self) -> Frame | None:
        """The first picture of the newest fragment; None if that was given out before.

        Raises PictureUnreadable.
        """
        try:
            fragment, stamp_ns = self._newest_fragment()
            mark = (int(fragment.stem), stamp_ns)
            if mark == self._last:
                return None
            content = _read_capped(self._folder / "init.mp4") + _read_capped(fragment)
        except FileNotFoundError as error:
            raise PictureUnreadable(
                "the recorder gets no picture from it; check cable and power of the camera"
            ) from error
        self._last = mark
        return Frame(decode_first(content), stamp_ns)

    def _newest_fragment(self) -> tuple[Path, int]:
        names = [entry.name for entry in os.scandir(self._folder) if _FRAGMENT.match(entry.name)]
        if not names:
            raise FileNotFoundError(self._folder)
        path = self._folder / max(names, key=lambda name: int(name.partition(".")[0]))
        return path, path.stat().st_mtime_ns


class RtspPictures:
    """A camera's own RTSP session, for a node without a recorder. Used by one thread."""

    def __init__(self, url: str, user: str, password: str, *, limit_s: float = 8.0) -> None:
        self._url, self._limit_ms = with_credentials(url, user, password), int(limit_s * 1000)
        self._name = urlsplit(url).hostname or url
        self._capture: Any = None

    def open(self) -> None:
        """Open the session. Raises PictureUnreadable after at most the limit."""
        self.close()
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, self._limit_ms]
        limits += [cv2.CAP_PROP_READ_TIMEOUT_MSEC, self._limit_ms]
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            capture.release()
            raise PictureUnreadable(f"camera {self._name} opens no RTSP session; check plug and password")
        self._capture = capture

    def grab(self) -> None:
        """Take the next picture off the wire. Raises PictureUnreadable."""
        if self._capture is None or not self._capture.grab():
            self.close()
            raise PictureUnreadable(f"camera {self._name} sends no more pictures")

    def retrieve(self, taken_wall_ns: int) -> Frame:
        """The picture that was grabbed last. Raises PictureUnreadable."""
        good, pixels = self._capture.retrieve()
        if not good:
            raise PictureUnreadable(f"a picture of camera {self._name} cannot be decoded")
        return Frame(pixels, taken_wall_ns)

    def close(self) -> None:
        """End the session."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None


class Eye:
    """Measures the pictures of one camera, each against the first of its repeat."""

    def __init__(self) -> None:
        self._anchor: Pixels | None = None

    def look(self, pixels: Pixels, at_mono_s: float) -> Look:
        """Measure one picture. A slow change is found, because it adds up against the anchor."""
        grey = _reduced(pixels)
        mean, deviation = cv2.meanStdDev(grey)
        difference_mean, difference_worst = None, None
        if self._anchor is not None:
            difference = cv2.absdiff(grey, self._anchor)
            difference_mean = float(difference.mean())
            difference_worst = float(difference.max())
        look = Look(
            at_mono_s, float(mean.ravel()[0]), float(deviation.ravel()[0]), difference_mean, difference_worst
        )
        if not look.is_repeat:
            self._anchor = grey
        return look


def decode_first(content: bytes) -> Pixels:
    """The first picture of a video file's bytes, as BGR. Raises PictureUnreadable."""
    with _memory_file(content) as path:
        capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
        try:
            good, pixels = capture.read() if capture.isOpened() else (False, None)
        finally:
            capture.release()
    if not good or pixels is None:
        raise PictureUnreadable(f"{len(content)} bytes arrived, but no picture can be decoded from them")
    return np.asarray(pixels, dtype=np.uint8)


def jpeg(pixels: Pixels) -> bytes:
    """The picture as a JPEG at most 640 pixels wide. Raises PictureUnreadable."""
    height, width = pixels.shape[:2]
    if width > _PICTURE_WIDTH:
        size = (_PICTURE_WIDTH, max(1, round(height * _PICTURE_WIDTH / width)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    good, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not good:
        raise PictureUnreadable("the picture cannot be coded as JPEG")
    return coded.tobytes()


def with_credentials(url: str, user: str, password: str) -> str:
    """The RTSP URL with user and password in it, as FFmpeg wants them. Never log what this returns."""
    if not user:
        return url
    parts = urlsplit(url)
    place = f"{quote(user, safe='')}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=place))


def _reduced(pixels: Pixels) -> Pixels:
    small = cv2.resize(pixels, _MEASURE_SIZE, interpolation=cv2.INTER_AREA)
    grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
    return np.asarray(grey, dtype=np.uint8)


def _read_capped(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_FRAGMENT_BYTES + 1)
    if len(content) > _MOST_FRAGMENT_BYTES:
        raise PictureUnreadable(f"{path} is larger than {_MOST_FRAGMENT_BYTES} bytes")
    return content


@contextlib.contextmanager
def _memory_file(content: bytes) -> Iterator[str]:
    """A file in memory that FFmpeg can open by name and seek in; nothing touches the card."""
    descriptor = os.memfd_create("siaga-live", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
