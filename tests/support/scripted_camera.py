"""A camera that answers as a test has written it down, over real TCP."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

# method, its headers, how-manieth request of the connection -> octets to send; None: end the connection
Script = Callable[[str, Mapping[str, str], int], bytes | None]


class Last(bytes):
    """Octets after which the camera ends the connection."""


@dataclass
class ScriptedCamera:
    """Where it listens and what it has heard."""

    port: int
    heard: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    connections: int = 0
    reports: list[bytes] = field(default_factory=list)  # packets between the requests

    @property
    def url(self) -> str:
        """The stream's address."""
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def methods(self) -> list[str]:
        """The methods it was asked for, in order."""
        return [method for method, _ in self.heard]


def answer(headers: Mapping[str, str], status: str = "200 OK", body: str = "", **more: str) -> bytes:
    """An answer to a request with these headers."""
    lines = [f"RTSP/1.0 {status}", f"CSeq: {headers['cseq']}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in more.items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", body]).encode()


def plays(sdp: str, stream: bytes, before: bytes = b"", transport: str = "") -> Script:
    """A camera without faults that sends `stream` after PLAY, in one piece with the answer to it."""

    def script(method: str, headers: Mapping[str, str], number: int) -> bytes | None:
        assert number > 0
        if method == "DESCRIBE":
            return answer(headers, body=sdp, Content_Type="application/sdp")
        if method == "SETUP":
            said = headers["transport"] + transport
            return answer(headers, Transport=said, Session="8A;timeout=60") + before
        return answer(headers) + (stream if method == "PLAY" else b"")

    return script


@contextmanager
def scripted_camera(*scripts: Script) -> Iterator[ScriptedCamera]:
    """It follows the first script on the first connection and so on; the last one from then on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        made = ScriptedCamera(server.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(server, scripts, made), daemon=True)
        thread.start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _serve(server: socket.socket, scripts: tuple[Script, ...], camera: ScriptedCamera) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        script = scripts[min(camera.connections, len(scripts) - 1)]
        camera.connections += 1
        threading.Thread(target=_follow, args=(connection, script, camera), daemon=True).start()


def _follow(connection: socket.socket, script: Script, camera: ScriptedCamera) -> None:
    number = 0
    with connection, connection.makefile("rb") as reader:
        try:
            while first := reader.read(1):
                if first == b"$":
                    head = reader.read(3)
                    camera.reports.append(reader.read(int.from_bytes(head[1:], "big")))
                    continue
                line = first + reader.readline()
                method, headers = line.split(b" ")[0].decode(), {}
                while one := reader.readline().decode().strip():
                    name, _, value = one.partition(":")
                    headers[name.lower()] = value.strip()
                number += 1
                camera.heard.append((method, headers))
                said = script(method, headers, number)
                if said is None:
                    return
                connection.sendall(said)
                if isinstance(said, Last):
                    return
        except OSError:
            return
