"""RTSP 1.0 messages and the packets between them, off one connection (RFC 2326). Pure."""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from siaga_core.errors import SiagaError
from siaga_edge.recorder.fragments import BadStream

# One packet is at most 65,539 octets with its frame (§10.12); a read takes in several.
BUFFER_BYTES = 256 * 1024
HEAD_MOST_BYTES = 16 * 1024
BODY_MOST_BYTES = 64 * 1024
_START = re.compile(r"RTSP/1\.\d (\d{3}) ?([^\r\n]*)\Z")
_REQUEST = re.compile(r"[A-Z_]+ \S+ RTSP/1\.\d\Z")


class NotUnderstood(SiagaError):
    """A camera that may be well, but speaks what this client does not: ffmpeg's turn."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in lower case, each with its values in order."""

    status: int
    reason: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes = b""

    def header(self, name: str) -> str:
        """The first value; empty if there is none."""
        return self.headers.get(name, ("",))[0]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the camera's own; nothing is owed to it but that it is passed over."""

    line: str


Packet = tuple[int, memoryview]  # channel, octets; they are good until the next is asked for


def request(method: str, url: str, number: int, headers: Mapping[str, str]) -> bytes:
    """One request without a body. Raises ValueError for a line break in it."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {number}", "User-Agent: siaga-recorder"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line break within a request")
    return "\r\n".join([*lines, "", ""]).encode()


def framed(channel: int, packet: bytes) -> bytes:
    """A packet of ours between the messages (§10.12)."""
    return b"$" + bytes((channel,)) + len(packet).to_bytes(2, "big") + packet


class Demux:
    """Octets in any cuts in, answers and packets out; memory is one buffer and nothing grows."""

    def __init__(self, size_bytes: int = BUFFER_BYTES) -> None:
        self._buffer = bytearray(size_bytes)
        self._view = memoryview(self._buffer)
        self._end = 0

    def room(self) -> memoryview:
        """Where the next octets go; never empty."""
        return self._view[self._end :]

    def took(self, count: int) -> Generator[Packet | Answer | Asked, None, None]:
        """What has become whole after `count` octets came into the room. Raises BadStream.

        What is not asked for before the next octets come is kept; `took(0)` gives it out.
        """
        view, buffer, end, at = self._view, self._buffer, self._end + count, 0
        try:
            while at < end:
                begin = at
                if buffer[at] == 0x24:
                    if end - at < 4:
                        break
                    after = at + 4 + (buffer[at + 2] << 8 | buffer[at + 3])
                    if after > end:
                        break
                    at = after
                    yield buffer[begin + 1], view[begin + 4 : after]
                elif buffer[at] in b"\r\n":
                    at += 1
                else:
                    message, after = _message(buffer, at, end)
                    if message is None:
                        break
                    at = after
                    yield message
        finally:
            left = end - at
            if at and left:
                buffer[:left] = buffer[at:end]
            self._end = left


def _message(buffer: bytearray, at: int, end: int) -> tuple[Answer | Asked | None, int]:
    """A message and its end; None while it is not whole. Raises BadStream."""
    if not 0x41 <= buffer[at] <= 0x5A:
        raise BadStream(f"octet {buffer[at]:#04x} where a packet or an answer should begin")
    stop = buffer.find(b"\r\n\r\n", at, min(end, at + HEAD_MOST_BYTES))
    if stop < 0:
        if end - at >= HEAD_MOST_BYTES or any(octet > 0x7E for octet in buffer[at : min(end, at + 8)]):
            raise BadStream("an answer without an end")
        return None, at
    lines = buffer[at:stop].decode("latin-1").split("\r\n")
    headers = _headers(lines[1:])
    length = headers.get("content-length", ("0",))[0]
    if not length.isascii() or not length.isdecimal() or len(length) > 9 or int(length) > BODY_MOST_BYTES:
        raise BadStream(f"an answer's body of {length[:20]!r} octets")
    after = stop + 4 + int(length)
    if after > end:
        return None, at
    if _REQUEST.match(lines[0]):
        return Asked(lines[0]), after
    start = _START.match(lines[0])
    if start is None:
        raise BadStream(f"{lines[0][:40]!r} is no RTSP answer")
    return Answer(int(start[1]), start[2], headers, bytes(buffer[stop + 4 : after])), after


def _headers(lines: list[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        found[key] = (*found.get(key, ()), value.strip())
    return found
