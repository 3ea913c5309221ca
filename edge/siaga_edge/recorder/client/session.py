"""The dialogue with one camera over one TCP connection: the only door to the socket."""

import contextlib
import os
import re
import socket
import struct
from collections.abc import Generator, Iterator
from urllib.parse import urlsplit

from siaga_core.service.clock import Clock
from siaga_edge.node import Camera
from siaga_edge.recorder.client import description, login
from siaga_edge.recorder.client.assembling import Assembler
from siaga_edge.recorder.client.messages import Answer, Asked, Demux, NotUnderstood, Packet, framed, request
from siaga_edge.recorder.client.packets import Receiver
from siaga_edge.recorder.fragments import Fragment, Init
from siaga_edge.recorder.trouble import CameraTrouble, Unreachable

CONNECT_LIMIT_S = 5.0
# From the connection to the answer to PLAY, whatever the camera drips meanwhile.
DIALOGUE_LIMIT_S = 10.0
# A read waits for so much or so long: 32 KiB are 65 ms at 4 Mbit/s. Fragments are dated as late as this.
READ_AT_LEAST_BYTES = 32 * 1024
READ_LIMIT_S = 0.1
REPORT_EVERY_S = 5.0  # RFC 3550 §6.2
# RFC 2326 §12.37: a session without a timeout ends after 60 s.
TIMEOUT_S = 60.0
_LEAVE_S = 0.3
_SSRC = re.compile(r"(?:^|;)ssrc=([0-9A-Fa-f]{1,8})(?:;|$)")
_CHANNELS = re.compile(r"(?:^|;)interleaved=(\d{1,3})(?:-(\d{1,3}))?(?:;|$)")
_TIMEOUT = re.compile(r";\s*timeout=(\d{1,6})")
_INFO = re.compile(r"rtptime=(\d{1,10})")
_REFUSED = (401, 403)
_ENDED = "the camera ended the connection"


@contextlib.contextmanager
def stream(camera: Camera, clock: Clock, dialogue_limit_s: float = DIALOGUE_LIMIT_S) -> Iterator["Session"]:
    """A playing session; ended when the block is left.

    Raises NotUnderstood, Unreachable, CameraTrouble, BadStream, OSError.
    """
    parts = urlsplit(camera.recorded_url)
    if parts.scheme != "rtsp" or parts.username or not parts.hostname:
        raise NotUnderstood(f"an address that begins with {parts.scheme}:// or has a user in it")
    with _connected(parts.hostname, parts.port or 554) as connection:
        session = Session(connection, camera, clock, dialogue_limit_s)
        try:
            session.begin()
            yield session
        finally:
            session.leave()


class Session:
    """Made and used in one thread."""

    def __init__(
        self, connection: socket.socket, camera: Camera, clock: Clock, dialogue_limit_s: float
    ) -> None:
        self._connection, self._camera, self._clock = connection, camera, clock
        self._limit_s = dialogue_limit_s
        self._demux = Demux()
        self._number = self._nonce_uses = 0
        self._challenge: login.Challenge | None = None
        self._session = self._url = ""
        self._keep_alive_s = TIMEOUT_S / 2
        self._asked_mono_s = self._reported_mono_s = clock.mono_s()
        self._keep_alive = "OPTIONS"
        self._own_ssrc = int.from_bytes(os.urandom(4), "big")
        self._receivers: list[Receiver] = []
        self._channels: dict[int, int] = {}  # channel -> 2 x track, one more for its reports
        self._assembler: Assembler | None = None
        self._is_listening = self._is_admitted = False
        self._early = 0  # packets before PLAY was answered

    @property
    def strangers(self) -> int:
        """Packets that are not the stream's: of another source, another kind, or before PLAY."""
        return self._early + sum(one.strangers + one.late for one in self._receivers)

    @property
    def lost(self) -> int:
        """Packets that never came."""
        return sum(one.lost for one in self._receivers)

    @property
    def left_out(self) -> int:
        """Pictures that were not whole, or could not be decoded without those."""
        return self._assembler.left_out if self._assembler else 0

    def begin(self) -> None:
        """Up to PLAY. Raises NotUnderstood, CameraTrouble, BadStream, OSError."""
        deadline_s = self._clock.mono_s() + self._limit_s
        url = self._url = self._camera.recorded_url
        offered = self._asked("OPTIONS", url, deadline_s, must=False)
        if "GET_PARAMETER" in offered.header("public").upper():
            self._keep_alive = "GET_PARAMETER"
        answer = self._asked("DESCRIBE", url, deadline_s, Accept="application/sdp")
        found = description.read(answer.body, sound=self._camera.sound)
        base = answer.header("content-base") or answer.header("content-location") or url
        base = base if "://" in base else url
        self._url = _joined(base, found.control) if found.control not in ("", "*") else base
        tracks = [found.video, *([found.sound] if found.sound else [])]
        for number, track in enumerate(tracks):
            self._set_up(number, _joined(base, track.control), track.payload_type, deadline_s)
        played = self._asked("PLAY", self._url, deadline_s, Range="npt=0.000-")
        times = [int(one) for one in _INFO.findall(played.header("rtp-info"))]
        starts = (times[0], times[1]) if len(times) == len(tracks) == 2 else (None, None)
        self._assembler = Assembler(found, starts)
        self._listen_well()

    def read(self) -> Iterator[Init | Fragment]:
        """What has come within READ_LIMIT_S. Raises NotUnderstood, CameraTrouble, BadStream, OSError."""
        count = 0
        if self._is_listening:
            try:
                count = self._connection.recv_into(self._demux.room())
            except BlockingIOError:
                self._tend(self._clock.mono_s())
                return
            if not count:
                raise CameraTrouble("away", _ENDED)
        self._is_listening = True  # what came together with the answer to PLAY has been taken
        now_s = self._clock.mono_s()
        self._tend(now_s)
        yield from self._take(count, now_s)
        if self._receivers[0].is_replaced:
            raise CameraTrouble("away", "the stream has another source now")

    def _take(self, count: int, now_s: float) -> Iterator[Init | Fragment]:
        assert self._assembler is not None
        assembler, channels, receivers = self._assembler, self._channels, self._receivers
        video = receivers[0]
        for one in self._demux.took(count):
            if not isinstance(one, tuple):
                self._heed(one)
                continue
            place = channels.get(one[0])
            if place == 0:
                if made := assembler.video(video, one[1], now_s):
                    yield from made
            elif place == 2:
                assembler.sound(receivers[1], one[1], now_s)
            elif place is not None:
                report = receivers[place // 2].heard(one[1], now_s)
                if report is not None:
                    assembler.reported(place // 2, report)

    def flush(self) -> Iterator[Fragment]:
        """The rest that is whole."""
        return self._assembler.flush() if self._assembler else iter(())

    def leave(self) -> None:
        """TEARDOWN if there is a session, and a moment for the camera to hear it."""
        with contextlib.suppress(OSError):
            if self._session:
                self._send("TEARDOWN", self._url)
                self._connection.shutdown(socket.SHUT_WR)
                self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
                self._connection.settimeout(_LEAVE_S)
                deadline_s = self._clock.mono_s() + _LEAVE_S
                while self._connection.recv(65536) and self._clock.mono_s() < deadline_s:
                    pass

    def _set_up(self, number: int, url: str, payload_type: int, deadline_s: float) -> None:
        offer = f"RTP/AVP/TCP;unicast;interleaved={2 * number}-{2 * number + 1}"
        answer = self._asked("SETUP", url, deadline_s, Transport=offer)
        said = answer.header("transport").replace(" ", "")
        if "RTP/AVP/TCP" not in said.upper():
            raise NotUnderstood(f"transport {said[:60]}")
        channels = _CHANNELS.search(said)
        first = int(channels[1]) if channels else 2 * number
        second = int(channels[2]) if channels and channels[2] else first + 1
        if first in self._channels or second in self._channels or first == second:
            raise NotUnderstood("two tracks on one channel")
        self._channels |= {first: 2 * number, second: 2 * number + 1}
        ssrc = _SSRC.search(said)
        self._receivers.append(Receiver(payload_type, int(ssrc[1], 16) if ssrc else None))
        session = answer.header("session")
        self._session = session.partition(";")[0].strip()
        if not self._session:
            raise NotUnderstood("a session without a name")
        if limit := _TIMEOUT.search(session):
            self._keep_alive_s = max(1.0, min(TIMEOUT_S, int(limit[1])) / 2)

    def _listen_well(self) -> None:
        """From now on reads take many packets at once, and none waits longer than READ_LIMIT_S."""
        self._connection.settimeout(None)
        limit = struct.pack("@ll", 0, int(READ_LIMIT_S * 1e6))
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sending = struct.pack("@ll", int(CONNECT_LIMIT_S), 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, sending)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, READ_AT_LEAST_BYTES)

    def _tend(self, now_s: float) -> None:
        """Reports and signs of life that are due."""
        if now_s - self._reported_mono_s >= REPORT_EVERY_S:
            self._reported_mono_s = now_s
            places = {place: channel for channel, place in self._channels.items()}
            for number, receiver in enumerate(self._receivers):
                if receiver.received:
                    report = receiver.report(self._own_ssrc, now_s)
                    self._connection.sendall(framed(places[2 * number + 1], report))
        if now_s - self._asked_mono_s >= self._keep_alive_s:
            self._send(self._keep_alive, self._url)

    def _heed(self, message: object) -> None:
        """An answer to a sign of life: whatever it says, what counts is whether pictures come.

        A new nonce in it is used from then on.
        """
        if isinstance(message, Answer) and message.status == 401:
            self._log_in(message)

    def _asked(
        self, method: str, url: str, deadline_s: float, *, must: bool = True, **headers: str
    ) -> Answer:
        """The answer to a request, with the password if it is asked for."""
        for _ in range(3):
            proof = self._challenge is not None
            self._send(method, url, headers)
            answer = self._answer(deadline_s)
            if answer.status != 401 or not self._camera.user:
                self._is_admitted = self._is_admitted or proof
                break
            self._log_in(answer)
            # A wrong password is said once: cameras lock an account after a few.
            if proof and not self._is_admitted and not (self._challenge and self._challenge.stale):
                break
        if answer.status == 200 or (not must and answer.status not in _REFUSED):
            return answer
        if 300 <= answer.status < 400:
            raise NotUnderstood("the camera sends on to another address")
        if answer.status == 461:
            raise NotUnderstood("the camera does not offer TCP")
        said = f"{method}: {answer.status} {answer.reason}".strip()[:100]
        raise CameraTrouble("refused" if answer.status in _REFUSED else "away", said)

    def _log_in(self, answer: Answer) -> None:
        self._challenge = login.strongest(answer.headers.get("www-authenticate", ()))
        self._nonce_uses = 0

    def _send(self, method: str, url: str, headers: dict[str, str] | None = None) -> None:
        self._number += 1
        self._asked_mono_s = self._clock.mono_s()
        said = dict(headers or {})
        if self._session:
            said["Session"] = self._session
        if self._challenge is not None:
            self._nonce_uses += 1
            user, password, cnonce = self._camera.user, self._camera.password(), os.urandom(8).hex()
            said["Authorization"] = login.authorization(
                self._challenge, user, password, method, url, self._nonce_uses, cnonce
            )
        try:
            self._connection.sendall(request(method, url, self._number, said))
        except ValueError as error:
            raise NotUnderstood(str(error)) from error

    def _answer(self, deadline_s: float) -> Answer:
        """The next answer; packets before it are not the stream's yet."""
        found: Answer | None = None
        while found is None:
            left_s = deadline_s - self._clock.mono_s()
            if left_s <= 0:
                raise CameraTrouble("silent", f"no answer came within {self._limit_s:g} s")
            self._connection.settimeout(left_s)
            try:
                count = self._connection.recv_into(self._demux.room())
            except TimeoutError:
                continue
            if not count:
                raise CameraTrouble("away", _ENDED)
            found = self._own(self._demux.took(count))
        return found

    def _own(self, came: Generator[Packet | Answer | Asked, None, None]) -> Answer | None:
        """The answer to the last request, if it has come; what follows it stays for the stream."""
        with contextlib.closing(came):
            for one in came:
                if isinstance(one, tuple):
                    self._early += 1
                elif isinstance(one, Answer) and one.header("cseq") in ("", str(self._number)):
                    return one
        return None


def _connected(host: str, port: int) -> socket.socket:
    try:
        return socket.create_connection((host, port), CONNECT_LIMIT_S)
    except OSError as error:
        raise Unreachable(error.strerror or str(error)) from error


def _joined(base: str, control: str) -> str:
    """A track's own address: its control behind the base, whatever stands in that (as cameras expect it)."""
    if not control:
        return base
    if "://" in control:
        return control
    return f"{base}{control}" if base.endswith("/") else f"{base}/{control}"
