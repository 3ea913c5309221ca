"""The ONVIF side of the simulated cameras: HTTP, one device service and one media service per camera."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from siaga_edge.simulate.camera import soap
from siaga_edge.simulate.camera.device import Camera

_MOST_REQUEST_BYTES = 65536
_HUGE_BYTES = 300 * 1024 * 1024
_DRIP_EVERY_S = 0.5
_ELSEWHERE = "http://192.0.2.77"  # TEST-NET-1, RFC 5737: nobody answers there

_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]>'
)


@dataclass
class OnvifDevices:
    """Answers for all cameras at `http://<host>:<port>/onvif/<camera>/device_service`."""

    cameras: Mapping[str, Camera]
    host: str
    port: int
    rtsp_port: int
    user: str
    password: str
    _seen: set[bytes] = field(default_factory=set)

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until it ends."""
        try:
            while request := await _read(reader):
                await self._respond(*request, writer)
        except (ConnectionError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _respond(self, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        camera = self.cameras.get(path.strip("/").split("/")[1] if path.count("/") >= 2 else "")
        if camera is None or not body:
            writer.write(_http(404, ""))
            return
        camera.onvif.requests += 1
        await _be_dead(camera, writer)
        now_s = time.time() + camera.onvif.clock_offset_s
        try:
            status, text = self._say(camera, soap.parse(body), now_s)
        except ValueError as error:
            status, text = 400, soap.fault("WellFormed", str(error))
        await _deliver(camera, status, text, writer)

    def _say(self, camera: Camera, call: soap.Call, now_s: float) -> tuple[int, str]:
        allowed = call.operation in soap.PRE_AUTH or not self.user
        if not allowed and not soap.is_genuine(call.token, self.user, self.password, now_s, self._seen):
            camera.onvif.refused += 1
            return 400, soap.fault("NotAuthorized", "Sender not authorized")
        if camera.onvif.fault == "unauthorized" and call.operation not in soap.PRE_AUTH:
            camera.onvif.refused += 1
            return 401, ""
        text = soap.answer(call.operation, self._place(camera), camera.name, now_s)
        if text is None:
            return 500, soap.fault("ActionNotSupported", f"{call.operation} is not supported")
        return 200, text

    def _place(self, camera: Camera) -> soap.Place:
        base, rtsp = f"http://{self.host}:{self.port}", f"rtsp://{self.host}:{self.rtsp_port}"
        if camera.onvif.fault == "wrong-xaddr":
            base, rtsp = _ELSEWHERE, _ELSEWHERE.replace("http", "rtsp")
        root = f"{base}/onvif/{camera.name}"
        return soap.Place(f"{root}/device_service", f"{root}/media_service", f"{rtsp}/{camera.name}")


async def _read(reader: asyncio.StreamReader) -> tuple[str, bytes] | None:
    """Path and body of the next request, None at the end."""
    start = await reader.readline()
    if not start:
        return None
    path, length = start.split()[1].decode("latin-1"), 0
    while (line := await reader.readline()).strip():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
    if length > _MOST_REQUEST_BYTES:
        raise ValueError("the request is too long")
    return path, await reader.readexactly(length)


async def _be_dead(camera: Camera, writer: asyncio.StreamWriter) -> None:
    if camera.mode == "drop":
        writer.transport.abort()
        raise ConnectionResetError("unplugged")
    while camera.mode == "stall" or camera.onvif.fault == "blackhole":
        if writer.transport.is_closing():
            raise ConnectionResetError("the client gave up")
        await asyncio.sleep(0.05)


async def _deliver(camera: Camera, status: int, text: str, writer: asyncio.StreamWriter) -> None:
    """Send the answer as the camera's fault has it."""
    fault = camera.onvif.fault
    if fault == "malformed":
        text = text[: len(text) // 2]
    elif fault == "bomb":
        text = _BOMB + text.partition("?>")[2].replace("<s:Body>", "<s:Header><x>&d;</x></s:Header><s:Body>")
    if fault == "redirect":
        writer.write(_http(307, "", ("Location", f"{_ELSEWHERE}/onvif/device_service")))
    elif fault == "drip":
        await _drip(_http(status, text), writer)
    elif fault == "huge":
        await _flood(writer)
    else:
        writer.write(_http(status, text))
    await writer.drain()


def _http(status: int, text: str, *headers: tuple[str, str]) -> bytes:
    body = text.encode()
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}"]
    lines += ["Content-Type: application/soap+xml; charset=utf-8", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _drip(answer: bytes, writer: asyncio.StreamWriter) -> None:
    """The header at once, then one byte every half second: every single read is answered in time."""
    header, separator, body = answer.partition(b"\r\n\r\n")
    writer.write(header + separator)
    for byte in body:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(_DRIP_EVERY_S)


async def _flood(writer: asyncio.StreamWriter) -> None:
    piece = b" " * 65536
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {_HUGE_BYTES}\r\n\r\n".encode())
    for _ in range(_HUGE_BYTES // len(piece)):
        writer.write(piece)
        await writer.drain()
