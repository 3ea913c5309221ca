"""Clips and pictures on their way to the gateway: HTTPS with the node's certificate, resumable."""

import contextlib
import http.client
import logging
import queue
import ssl
import threading
from pathlib import Path
from urllib.parse import urlsplit

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.clock import Clock
from siaga_core.service.files import sync_directory
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.health import ServiceState
from siaga_edge import transfers
from siaga_edge.node import Hub
from siaga_edge.transfers import Ticket
from siaga_edge.uplink.budget import Budget

log = logging.getLogger(__name__)

SLICE_BYTES = 1 << 20
_ANSWER_LIMIT_S = 30.0  # per request: a slice that takes longer is sent again from where it got to
_LOOK_EVERY_S = 0.5
_PAUSE_MOST_S = 10.0
_HASH_TRIES = 3
# How long a transfer that the hub has stopped rests before it asks again; a question is about 5 kB.
REST_S = 20.0
_STOPPED, _UNWANTED = 423, 410
_PASSING = frozenset({401, 408, 409, 416, 425, 429})  # 4xx that a later try may change


class GatewayUnreachable(SiagaError, Transient):
    """The gateway did not answer, or asked for a later try."""


class _Told(SiagaError):
    """The hub said of a clip, before any of it was sent, that it is stopped or not wanted any more."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the hub answered {status}")
        self.status = status


class SharedBudget:
    """The site's budget as both threads of the uplink use it."""

    def __init__(self, uplink_kbit_s: float) -> None:
        self._budget, self._lock = Budget(uplink_kbit_s * 1000 / 8), threading.Lock()
        # About four seconds of the line, so that a picture or an urgent record is soon let in between.
        self.slice_bytes = (
            min(SLICE_BYTES, max(16 * 1024, int(uplink_kbit_s * 500))) if uplink_kbit_s else SLICE_BYTES
        )

    def may_send(self, now_s: float) -> bool:
        """Whether anything that can wait may go now."""
        with self._lock:
            return self._budget.may_send(now_s)

    def spend(self, size_bytes: int, now_s: float) -> None:
        """`size_bytes` go up."""
        with self._lock:
            self._budget.spend(size_bytes, now_s)

    def pause_s(self, now_s: float) -> float:
        """How long until something may go again."""
        with self._lock:
            return self._budget.pause_s(now_s)


class Courier:
    """Carries waiting files, one slice at a time, so that a picture overtakes a long clip.

    A clip that the hub has stopped rests on the node and asks again; one that it has given up is deleted. So
    what an operator wants is kept at the hub alone, and holds for a node that was away or has restarted.
    A file is forgotten only then or after 201: the gateway has it whole and the hash is right. What the
    gateway refuses for good is kept in `folder`/refused.
    """

    def __init__(
        self, hub: Hub, folder: Path, notices: queue.Queue[ServiceState], clock: Clock, budget: SharedBudget
    ) -> None:
        self._hub, self._folder, self._notices = hub, folder, notices
        self._clock, self._budget = clock, budget
        self._offsets: dict[str, int] = {}
        self._wrong: dict[str, int] = {}
        self._rests_until_s: dict[str, float] = {}

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """For the Supervisor. Raises GatewayUnreachable, a Transient."""
        self._folder.mkdir(parents=True, exist_ok=True)
        while not stop.is_set():
            pause_s = self._budget.pause_s(self._clock.mono_s())
            busy = pause_s == 0 and self.step()
            heartbeat.beat()
            if not busy:
                stop.wait(max(_LOOK_EVERY_S, min(pause_s, _PAUSE_MOST_S)))

    def step(self) -> bool:
        """Send the next slice; False if nothing waits. Raises GatewayUnreachable."""
        now_s = self._clock.mono_s()
        waiting = (
            one
            for one in transfers.waiting(self._folder)
            if self._rests_until_s.get(one.name, float("-inf")) <= now_s
        )
        ticket = next(waiting, None)
        if ticket is None:
            return False
        try:
            with contextlib.closing(self._connect()) as connection:
                self._carry(connection, ticket)
        except _Told as told:
            self._judge(ticket, told.status, "", 0)
        except FileNotFoundError:
            self._set_aside(ticket, "the file is missing")
        except (OSError, http.client.HTTPException) as error:
            self._offsets.pop(ticket.name, None)
            raise GatewayUnreachable(f"gateway {self._hub.gateway_url}: {error}") from error
        return True

    def _connect(self) -> http.client.HTTPSConnection:
        parts = urlsplit(self._hub.gateway_url)
        try:
            context = ssl.create_default_context(cafile=str(self._hub.ca_file))
            context.load_cert_chain(self._hub.certificate_file, self._hub.key_file)
        except OSError as error:
            raise GatewayUnreachable(f"certificate {self._hub.certificate_file}: {error}") from error
        return http.client.HTTPSConnection(
            parts.hostname or "", parts.port or 443, timeout=_ANSWER_LIMIT_S, context=context
        )

    def _carry(self, connection: http.client.HTTPSConnection, ticket: Ticket) -> None:
        if ticket.kind == "picture":
            body = (self._folder / ticket.name).read_bytes()
            headers = {"X-Siaga-Taken-Wall-Ns": str(ticket.taken_wall_ns), "Content-Type": "image/jpeg"}
            path = f"/v1/transfers/picture/{ticket.camera}"
        else:
            path = f"/v1/transfers/clip/{ticket.command_id}"
            offset = self._offset(connection, path, ticket)
            body = self._slice(ticket, offset)
            span = f"{offset}-{offset + len(body) - 1}" if body else "*"
            headers = {"Content-Range": f"bytes {span}/{ticket.size_bytes}"}
        self._budget.spend(len(body), self._clock.mono_s())
        connection.request("PUT", path, body, {**headers, "X-Siaga-Sha256": ticket.sha256})
        answer = connection.getresponse()
        detail = answer.read(400).decode(errors="replace")
        self._judge(ticket, answer.status, detail, len(body))

    def _offset(self, connection: http.client.HTTPSConnection, path: str, ticket: Ticket) -> int:
        if ticket.name not in self._offsets:
            connection.request("HEAD", path)
            answer = connection.getresponse()
            answer.read()
            if answer.status in (_STOPPED, _UNWANTED):
                raise _Told(answer.status)
            if answer.status >= 500:
                raise GatewayUnreachable(f"gateway answered {answer.status} to {path}")
            text = answer.headers.get("Upload-Offset", "0")
            self._offsets[ticket.name] = min(int(text), ticket.size_bytes) if text.isdigit() else 0
        return self._offsets[ticket.name]

    def _slice(self, ticket: Ticket, offset: int) -> bytes:
        with (self._folder / ticket.name).open("rb") as file:
            file.seek(offset)
            return file.read(min(self._budget.slice_bytes, ticket.size_bytes - offset))

    def _judge(self, ticket: Ticket, status: int, detail: str, sent_bytes: int) -> None:
        if status == 201:
            transfers.discard(self._folder, ticket)
            self._forget(ticket)
            log.info("transfer done name=%s bytes=%d", ticket.name, ticket.size_bytes)
        elif status == _STOPPED:
            self._offsets.pop(ticket.name, None)
            self._rests_until_s[ticket.name] = self._clock.mono_s() + REST_S
        elif status == _UNWANTED:
            transfers.discard(self._folder, ticket)
            self._forget(ticket)
            log.info("transfer given up by the hub name=%s", ticket.name)
        elif status == 422:
            self._offsets[ticket.name] = 0
            self._wrong[ticket.name] = self._wrong.get(ticket.name, 0) + 1
            log.warning("gateway found another hash name=%s", ticket.name)
            if self._wrong[ticket.name] >= _HASH_TRIES:
                self._set_aside(ticket, "the file is not what its ticket says (SHA-256)")
        elif 200 <= status < 400 and ticket.kind != "picture" and sent_bytes:
            self._offsets[ticket.name] += sent_bytes
        elif 400 <= status < 500 and status not in _PASSING:
            self._set_aside(ticket, f"{status} {detail}")
        else:
            self._offsets.pop(ticket.name, None)
            raise GatewayUnreachable(f"gateway answered {status} for {ticket.name}: {detail}")

    def _set_aside(self, ticket: Ticket, why: str) -> None:
        """Keep a refused file out of the way, and say so to the hub."""
        aside = self._folder / "refused"
        aside.mkdir(exist_ok=True)
        for name in (f"{ticket.name}.json", ticket.name):
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).rename(aside / name)
        sync_directory(aside)
        sync_directory(self._folder)
        self._forget(ticket)
        log.error("transfer refused name=%s cause=%s", ticket.name, why)
        with contextlib.suppress(queue.Full):
            detail = f"{ticket.name}: {why}"[:400]
            self._notices.put_nowait(
                ServiceState(service="uplink", level="warn", code="uplink.refused", detail=detail)
            )

    def _forget(self, ticket: Ticket) -> None:
        self._offsets.pop(ticket.name, None)
        self._wrong.pop(ticket.name, None)
        self._rests_until_s.pop(ticket.name, None)
