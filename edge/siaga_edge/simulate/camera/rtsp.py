"""The RTSP side of the simulated cameras: RTSP 1.0 (RFC 2326), video interleaved on the same connection."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from siaga_edge.simulate.camera.device import Camera
from siaga_edge.simulate.camera.digest import Gate

log = logging.getLogger(__name__)

_METHODS = "OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"
_TRACK = "trackID=0"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Stream Not Found",
    405: "Method Not Allowed",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
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
        return urlsplit(self.url).path.strip("/").partition("/")[0]


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
        self._ready: Camera | None = None

    def send(self, packets: bytes) -> None:
        """Queue interleaved packets."""
        self._writer.write(packets)

    def waiting_bytes(self) -> int:
        """How much is queued already."""
        return self._writer.transport.get_write_buffer_size()

    def close(self) -> None:
        """End the connection at once, as a pulled plug does."""
        self._writer.transport.abort()

    async def serve(self) -> None:
        """Answer requests until the client leaves."""
        try:
            while (request := await self._read()) is not None:
                await self._heed(request)
                answer = self._answer(request)
                self._write(request, answer)
                if request.method == "PLAY" and answer.status == 200 and self._ready is not None:
                    self._ready.watch(self)
                if request.method == "TEARDOWN" and answer.status == 200:
                    break
        except (Gone, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass
        finally:
            for camera in self._cameras.values():
                camera.unwatch(self)
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()

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
        if request.method == "OPTIONS":
            return Answer(200, {"Public": _METHODS})
        if not self._gate.admits(request.method, request.headers.get("authorization", "")):
            return Answer(401, {"WWW-Authenticate": self._gate.challenge()})
        camera = self._cameras.get(request.camera)
        if camera is None:
            return Answer(404)
        if request.method == "DESCRIBE":
            base = request.url.rstrip("/") + "/"
            return Answer(200, {"Content-Base": base, "Content-Type": "application/sdp"}, describe(camera))
        if request.method == "SETUP":
            return self._set_up(request, camera)
        if request.method not in ("PLAY", "GET_PARAMETER", "TEARDOWN"):
            return Answer(405, {"Allow": _METHODS})
        return self._in_session(request, camera)

    def _set_up(self, request: Request, camera: Camera) -> Answer:
        transport = request.headers.get("transport", "")
        if not transport.startswith("RTP/AVP/TCP"):
            return Answer(461)
        self._ready = camera
        return Answer(
            200,
            {
                "Transport": f"RTP/AVP/TCP;unicast;interleaved=0-1;ssrc={camera.ssrc:08X}",
                "Session": f"{self._session};timeout=60",
            },
        )

    def _in_session(self, request: Request, camera: Camera) -> Answer:
        session = request.headers.get("session", "").partition(";")[0]
        if request.method == "GET_PARAMETER" and not session:
            return Answer(200)
        if session != self._session:
            return Answer(454)
        if self._ready is not camera:
            return Answer(455)
        headers = {"Session": self._session}
        if request.method == "PLAY":
            headers["Range"] = "npt=now-"
            headers["RTP-Info"] = (
                f"url={request.url.rstrip('/')}/{_TRACK};seq={camera.sequence};rtptime={camera.timestamp}"
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


def describe(camera: Camera) -> str:
    """The session description (RFC 4566, RFC 6184 §8.2.1)."""
    stream = camera.scenes.normal
    fmtp = f"profile-level-id={stream.profile_level_id};sprop-parameter-sets={stream.parameter_sets}"
    lines = (
        *("v=0", f"o=- {camera.ssrc} 1 IN IP4 0.0.0.0", f"s={camera.name}", "c=IN IP4 0.0.0.0", "t=0 0"),
        *("a=control:*", "a=range:npt=now-", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000"),
        *(f"a=framerate:{camera.form.fps}", f"a=fmtp:96 packetization-mode=1;{fmtp}", f"a=control:{_TRACK}"),
    )
    return "\r\n".join([*lines, ""])


async def pace(camera: Camera) -> None:
    """Show the camera's pictures in real time; a late wake-up is caught up, not drifted."""
    loop = asyncio.get_running_loop()
    begun_s, shown = loop.time(), 0
    while True:
        camera.show()
        shown += 1
        await asyncio.sleep(max(0.0, begun_s + shown / camera.form.fps - loop.time()))
