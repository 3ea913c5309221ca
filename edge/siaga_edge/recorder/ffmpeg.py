"""One ffmpeg child per camera: the stream as it is, as fragmented MP4 on a pipe."""

import contextlib
import fcntl
import os
import subprocess
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.tether import tethered
from siaga_edge.node import Camera

# A fragment of a second at 8 Mbit/s, and what Linux lets anybody ask for (pipe(7), pipe-max-size).
PIPE_BYTES = 1024 * 1024
# RTSP's own time-out, microseconds: a camera that is silent this long is asked again.
STREAM_LIMIT_US = 8_000_000


class CameraAway(SiagaError, Transient):
    """The camera gives no stream; the message is ffmpeg's own last words."""


def command(program: str) -> list[str]:
    """The child's command line. What to read comes on its standard input, so that no password is in `ps`."""
    source = ["-f", "concat", "-safe", "0", "-protocol_whitelist", "pipe,fd,file,rtsp,rtp,tcp,udp,crypto"]
    sink = ["-map", "0:v:0", "-c", "copy", "-f", "mp4", "-frag_duration", "1000000", "-flush_packets", "1"]
    moves = ["-movflags", "frag_keyframe+empty_moov+default_base_moof"]
    return tethered(
        [program, "-hide_banner", "-nostats", "-v", "error", *source, "-i", "pipe:0", *sink, *moves, "pipe:1"]
    )


def playlist(camera: Camera) -> bytes:
    """What the child reads: the stream's address with its credentials (ffmpeg-formats, concat)."""
    parts = urlsplit(camera.rtsp_url)
    if camera.user:
        login = f"{quote(camera.user, safe='')}:{quote(camera.password(), safe='')}@"
        parts = parts._replace(netloc=login + parts.netloc)
    address = urlunsplit(parts).replace("'", "%27")
    lines = ("ffconcat version 1.0", f"file '{address}'", f"option rtsp_transport {camera.transport}")
    return "\n".join((*lines, f"option timeout {STREAM_LIMIT_US}", "")).encode()


@contextlib.contextmanager
def stream(program: str, camera: Camera) -> Iterator["Child"]:
    """A running child; ended when the block is left."""
    process = subprocess.Popen(  # noqa: S603 - the program is the config's
        command(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(playlist(camera))
            process.stdin.close()
        yield Child(process)
    finally:
        process.kill()
        for end in (process.stdout, process.stderr):
            if end is not None:
                end.close()
        process.wait()


class Child:
    """The running ffmpeg."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        assert process.stdout is not None
        self.descriptor = process.stdout.fileno()
        # Else ffmpeg stops in the middle of each fragment, 16 times, until somebody reads.
        with contextlib.suppress(OSError):
            fcntl.fcntl(self.descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)

    def read(self) -> bytes:
        """What has come; empty at the end."""
        return os.read(self.descriptor, PIPE_BYTES)

    def last_words(self) -> str:
        """Why it ended, as it said itself, without any address."""
        self._process.kill()
        error = self._process.stderr
        text = error.read().decode(errors="replace") if error is not None else ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        said = lines[-1].rpartition("] ")[2] if lines else "the stream ended"
        return said if "://" not in said else said.rpartition(": ")[2]
