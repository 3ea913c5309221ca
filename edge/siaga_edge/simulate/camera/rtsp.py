"""The RTSP side of the simulated cameras: RTSP 1.0 (RFC 2326)."""

import asyncio
import contextlib
import logging
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from siaga_edge.simulate.camera import transport
from siaga_edge.simulate.camera.admission import Gate
from siaga_edge.simulate.camera.device import Camera
from siaga_edge.simulate.camera.feed import Feed, Packets
from siaga_edge.simulate.camera.transport import Way

log = logging.getLogger(__name__)

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
_TRACK = "trackID="
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Stream Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    503: "Service Unavailable",
}
_MOST_HEADER_BYTES = 16384


@dataclass(frozen=True, slots=True)
class Request:
    """One RTSP request; header names in lower case."""

    method: str
    url: str
    headers: dict[str, str]

    @property
    def camera(self) -> str:
        """The camera that the URL names."""
        return self._words[0]

    @property
    def feed(self) -> str:
        """The rest of the path without the track: which of the camera's streams."""
        return "/".join(word for word in self._words[1:] if not word.startswith(_TRACK))

    @property
    def track(self) -> int:
        """The track that the URL names; the first if it names none."""
        last = self._words[-1]
        number = last.removeprefix(_TRACK)
        return int(number) if last.startswith(_TRACK) and number.isdecimal() else 0

    @property
    def _words(self) -> list[str]:
        return urlsplit(self.url).path.strip("/").split("/")


@dataclass(frozen=True, slots=True)
class Answer:
    """One RTSP answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""


class Gone(Exception):
    """The connection shall end."""


class Connection:
    """One client. It plays at most one camera, as one RTSP session."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cameras: Mapping[str, Camera],
        gate: Gate,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._cameras, self._gate = cameras, gate
        self._session = os.urandom(4).hex().upper()
        self._ready: Feed | None = None
        self._camera: Camera | None = None
        self._ways: dict[int, Way] = {}

    def send(self, packets: Packets) -> None:
        """Queue packets."""
        transport.deliver(self._ways, packets, self._camera.lost_share if self._camera else 0)

    def waiting_bytes(self) -> int:
        """How much is queued already."""
        return self._writer.transport.get_write_buffer_size()

    def close(self) -> None:
        """End the connection at once, as a pulled plug does."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """End it with a TCP reset: closing without lingering discards what is queued (socket(7))."""
        connection = self._writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Answer requests until the client leaves."""
        try:
            while (request := await self._read()) is not None:
                await self._heed(request)
                answer = self._answer(request)
                self._write(request, answer)
                if answer.status == 200 and self._ready is not None:
                    self._follow(request.method, self._ready)
                if request.method == "TEARDOWN" and answer.status == 200:
                    break
        except (Gone, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass
        finally:
            if self._ready is not None:
                self._ready.watchers.pop(self, None)
            for way in self._ways.values():
                way.close()
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

    def _follow(self, method: str, feed: Feed) -> None:
        """What comes after an answer: the stream, and from a camera with strangers theirs before it."""
        if method == "PLAY":
            feed.watchers[self] = False
        elif method == "SETUP" and feed.foreign:
            self.send(feed.strangers())

    async def _read(self) -> Request | None:
        """The next request; interleaved packets from the client (receiver reports) are passed over."""
        while True:
            first = await self._reader.read(1)
            if not first:
                return None
            if first == b"$":
                header = await self._reader.readexactly(3)
                await self._reader.readexactly(int.from_bytes(header[1:], "big"))
            elif first not in b"\r\n":
                break
        text = (first + await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        start, *lines = text.split("\r\n")
        method, url, version = start.split(" ")
        if not version.startswith("RTSP/1."):
            raise ValueError(f"not RTSP 1: {version}")
        pairs = (line.partition(":") for line in lines if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if length := int(headers.get("content-length", "0")):
            await self._reader.readexactly(min(length, _MOST_HEADER_BYTES))
        return Request(method, url, headers)

    async def _heed(self, request: Request) -> None:
        """Be dead or deaf if the camera shall be."""
        camera = self._cameras.get(request.camera)
        if camera is None:
            return
        if camera.mode == "drop":
            self.close()
            raise Gone
        while camera.mode == "stall":
            await asyncio.sleep(0.05)
            if self._reader.at_eof():
                raise Gone

    def _answer(self, request: Request) -> Answer:
        camera = self._cameras.get(request.camera)
        if camera is not None and camera.mode == "refuse":
            return Answer(503)
        if request.method == "OPTIONS":
            return Answer(200, {"Public": _METHODS})
        auth, proof = camera.auth if camera else "digest", request.headers.get("authorization", "")
        if not self._gate.admits(request.method, proof, auth):
            if camera is not None and proof:
                camera.refused += 1
            return Answer(401, {"WWW-Authenticate": self._gate.challenge(auth)})
        feed = camera.feeds.get(request.feed) if camera else None
        if camera is None or feed is None:
            return Answer(404)
        if request.method == "DESCRIBE":
            camera.sessions += 1
            base = request.url.rstrip("/") + "/"
            return Answer(200, {"Content-Base": base, "Content-Type": "application/sdp"}, describe(feed))
        if request.method == "SETUP":
            return self._set_up(request, camera, feed)
        if request.method not in ("PLAY", "GET_PARAMETER", "TEARDOWN"):
            return Answer(405, {"Allow": _METHODS})
        return self._in_session(request, feed)

    def _set_up(self, request: Request, camera: Camera, feed: Feed) -> Answer:
        track = request.track
        if track >= len(feed.sources):
            return Answer(404)
        seed = len(self._ways) + feed.video.ssrc
        way = transport.wanted(request.headers.get("transport", ""), track, self._writer, seed)
        if way is None:
            return Answer(461)
        self._ready, self._camera = feed, camera
        if track in self._ways:
            self._ways[track].close()
        self._ways[track] = way
        ssrc = feed.sources[track].ssrc
        return Answer(
            200,
            {"Transport": f"{way.answer};ssrc={ssrc:08X}", "Session": f"{self._session};timeout=60"},
        )

    def _in_session(self, request: Request, feed: Feed) -> Answer:
        session = request.headers.get("session", "").partition(";")[0]
        if request.method == "GET_PARAMETER" and not session:
            return Answer(200)
        if session != self._session:
            return Answer(454)
        if self._ready is not feed:
            return Answer(455)
        headers = {"Session": self._session}
        if request.method == "PLAY":
            base, starts = request.url.rstrip("/"), feed.sequence_and_time
            headers["Range"] = "npt=now-"
            headers["RTP-Info"] = ",".join(
                f"url={base}/{_TRACK}{track};seq={starts[track][0]};rtptime={starts[track][1]}"
                for track in sorted(self._ways)
            )
        return Answer(200, headers)

    def _write(self, request: Request, answer: Answer) -> None:
        lines = [f"RTSP/1.0 {answer.status} {_REASONS[answer.status]}"]
        lines += [f"CSeq: {request.headers.get('cseq', '0')}", "Server: siaga-simulate"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        body = answer.body.encode()
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + body)


def describe(feed: Feed) -> str:
    """The session description (RFC 4566)."""
    stream = feed.scenes.normal
    lines = [
        *("v=0", f"o=- {feed.video.ssrc} 1 IN IP4 0.0.0.0", f"s={feed.name}", "c=IN IP4 0.0.0.0", "t=0 0"),
        *("a=control:*", "a=range:npt=now-", "m=video 0 RTP/AVP 96", f"a=rtpmap:96 {stream.rtpmap}"),
        *(f"a=framerate:{feed.form.fps}", f"a=fmtp:96 {stream.fmtp}", f"a=control:{_TRACK}0"),
    ]
    if feed.sound:
        lines += [*feed.sound.sdp, f"a=control:{_TRACK}1"]
    return "\r\n".join([*lines, ""])


async def pace(camera: Camera) -> None:
    """Show the camera's pictures in real time; a late wake-up is caught up, not drifted."""
    loop = asyncio.get_running_loop()
    begun_s, shown, fps = loop.time(), 0, camera.feeds[""].form.fps
    while True:
        camera.show()
        shown += 1
        await asyncio.sleep(max(0.0, begun_s + shown / fps - loop.time()))
