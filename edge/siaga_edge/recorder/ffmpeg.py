"""One ffmpeg child per camera: the stream as it is, as fragmented MP4 on a pipe."""

import contextlib
import fcntl
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Literal
from urllib.parse import quote, urlsplit, urlunsplit

from siaga_core.service.tether import tethered
from siaga_edge.node import Camera
from siaga_edge.recorder.trouble import LEAPT, CameraTrouble

# A fragment of a second at 8 Mbit/s, and what Linux lets anybody ask for (pipe(7), pipe-max-size).
PIPE_BYTES = 1024 * 1024
# RTSP's own time-out, microseconds: a camera that is silent this long is asked again.
STREAM_LIMIT_US = 8_000_000
# At 10, 12, 15, 20 and 25 pictures a second the first picture after this ends a fragment of at most 500 ms.
FRAGMENT_US = 460_000
# A sound track that is announced and never comes does not hold the pictures back longer than this; ffmpeg's
# own 10 s were seen.
INTERLEAVE_US = 250_000
# More than this on standard error within FLOOD_S is a child that is not well. A warning for each packet of a
# camera on a bad network is a tenth of it.
FLOOD_BYTES = 1024 * 1024
FLOOD_S = 10.0
_KEPT_BYTES = 4096

Container = Literal["mp4", "mov"]
_NOT_IN_MP4 = "codec not currently supported in container"
_MISSED = re.compile(rb"missed (\d+) packets")
_LEVEL = re.compile(r"\[(?:panic|fatal|error)\] ")


class OtherContainer(Exception):
    """The camera's sound does not fit into MP4 (decision 0012): the same again in the other container."""


def command(program: str, container: Container = "mp4", *, sound: bool = True) -> list[str]:
    """The child's command line. What to read comes on its standard input, so that no password is in `ps`."""
    source = ["-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,fd,file,rtsp,rtp,tcp,udp,crypto"]
    # ffmpeg 7.1 takes AAC that comes by concat for no key packets and would drop all of it (measured).
    heard = ["-map", "0:a:0?", "-copyinkf:a"] if sound else []
    tracks = ["-map", "0:v:0", *heard, "-c", "copy"]
    sink = ["-f", container, "-frag_duration", str(FRAGMENT_US), "-flush_packets", "1"]
    sink += ["-max_interleave_delta", str(INTERLEAVE_US)]
    moves = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]
    quiet = ["-hide_banner", "-nostats", "-v", "level+warning"]
    return tethered([program, *quiet, *source, "-i", "pipe:0", *tracks, *sink, *moves, "pipe:1"])


def playlist(camera: Camera) -> bytes:
    """What the child reads: the stream's address with its credentials (ffmpeg-formats, concat)."""
    parts = urlsplit(camera.recorded_url)
    if camera.user:
        login = f"{quote(camera.user, safe='')}:{quote(camera.password(), safe='')}@"
        parts = parts._replace(netloc=login + parts.netloc)
    address = urlunsplit(parts).replace("'", "%27")
    lines = ("ffconcat version 1.0", f"file '{address}'", f"option rtsp_transport {camera.transport}")
    # Nothing here needs the frame rate: 20 pictures looked at for it are 2 s not kept at each start.
    return "\n".join((*lines, f"option timeout {STREAM_LIMIT_US}", "option fpsprobesize 0", "")).encode()


@contextlib.contextmanager
def stream(program: str, camera: Camera, container: Container = "mp4") -> Iterator["Child"]:
    """A running child; ended when the block is left."""
    process = subprocess.Popen(  # noqa: S603 - the program is the config's
        command(program, container, sound=camera.sound),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(playlist(camera))
            process.stdin.close()
        yield Child(process)
    finally:
        process.kill()
        for end in (process.stdin, process.stdout, process.stderr):
            if end is not None:
                with contextlib.suppress(BrokenPipeError):
                    end.close()
        process.wait()


class Child:
    """The running ffmpeg."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        assert process.stdout is not None
        assert process.stderr is not None
        self.descriptor, self.complaints = process.stdout.fileno(), process.stderr.fileno()
        # Else ffmpeg stops in the middle of each fragment, 16 times, until somebody reads.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        os.set_blocking(self.complaints, False)
        self.talks = True
        self.packets_missed = 0
        self._said = b""
        self._flood_bytes = 0
        self._flood_mono_s = float("-inf")

    def read(self) -> bytes:
        """What has come; empty at the end."""
        return os.read(self.descriptor, PIPE_BYTES)

    def listen(self, now_mono_s: float) -> None:
        """Take what it says on standard error, so that it never waits for a reader.

        Raises CameraTrouble when it is a flood.
        """
        try:
            said = os.read(self.complaints, PIPE_BYTES)
        except BlockingIOError:
            return
        self.talks = bool(said)
        self.packets_missed += sum(int(count) for count in _MISSED.findall(said))
        self._said = (self._said + said)[-_KEPT_BYTES:]
        if now_mono_s - self._flood_mono_s > FLOOD_S:
            self._flood_mono_s, self._flood_bytes = now_mono_s, 0
        self._flood_bytes += len(said)
        if self._flood_bytes > FLOOD_BYTES:
            raise CameraTrouble("flood", f"ffmpeg complains without end: {self._last_line()}")

    def last_words(self) -> str:
        """Why it ended, as it said itself, without any address. Raises OtherContainer."""
        self._process.kill()
        self._process.wait()
        with contextlib.suppress(CameraTrouble):
            self.listen(float("inf"))
        if _NOT_IN_MP4 in self._said.decode(errors="replace"):
            raise OtherContainer
        return self._last_line()

    def _last_line(self) -> str:
        """The last error; if there is none, the last line that is no warning."""
        lines = [line.strip() for line in self._said.decode(errors="replace").splitlines() if line.strip()]
        lines = [line for line in lines if "[warning] " not in line]
        errors = [line for line in lines if _LEVEL.search(line)] or lines
        if any("next_dts" in line for line in errors):
            return LEAPT
        said = errors[-1].rpartition("] ")[2] if errors else "the stream ended"
        said = said.removeprefix("pipe:0: ")
        return (said if "://" not in said else said.rpartition(": ")[2])[:200]
