"""What a camera says of itself over ONVIF, asked again and again by one thread per camera."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from siaga_core.service.clock import Clock
from siaga_core.service.workers import Heartbeat, Stop
from siaga_edge.cameras.onvif import OnvifFailed, OnvifSession

log = logging.getLogger(__name__)

# Cameras lock an account after some five refusals, often for half an hour (evercam-server issue 91).
AFTER_REFUSAL_S = 3600.0
FAILURES_TO_MATTER = 2  # one lost answer is not news
CLOCK_OFFSET_WORTH_MS = 2000


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the camera, apart from its picture."""

    onvif: Literal["ok", "unreachable", "refused", "unconfigured"] = "unconfigured"
    model: str = ""
    firmware: str = ""
    clock_offset_ms: int | None = None

    def is_news_after(self, older: "Facts") -> bool:
        """Whether the hub should hear of it at once."""
        if (self.onvif, self.model, self.firmware) != (older.onvif, older.model, older.firmware):
            return True
        if self.clock_offset_ms is None or older.clock_offset_ms is None:
            return self.clock_offset_ms is not None
        return abs(self.clock_offset_ms - older.clock_offset_ms) > CLOCK_OFFSET_WORTH_MS


class Asker:
    """Asks one camera. `latest` is replaced as a whole and may be read from any thread."""

    def __init__(
        self,
        name: str,
        rtsp_url: str,
        open_session: Callable[[str], OnvifSession],
        read_password: Callable[[], str],
        every_s: float,
        clock: Clock,
    ) -> None:
        self.latest = Facts()
        self._name, self._rtsp_url, self._every_s, self._clock = name, rtsp_url, every_s, clock
        self._open_session, self._read_password = open_session, read_password
        self._password = read_password()
        self._session = open_session(self._password)
        self._refused_mono_s: float | None = None
        self._failures = 0
        self._knows_stream = False

    def facts(self) -> Facts:
        """What is known now."""
        return self.latest

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Ask until told to stop; every round ends in time whatever the camera does, so every round beats."""
        while not stop.is_set():
            self.ask()
            heartbeat.beat()
            stop.wait(self._every_s if self.latest.onvif != "unconfigured" else min(5.0, self._every_s))

    def ask(self) -> None:
        """One round: the clock first, without a password, then with it what the camera is."""
        self._renew_password()
        try:
            offset_ms = self._session.clock_offset().offset_ms
            if self._is_locked_out():
                self.latest = replace(self.latest, onvif="refused", clock_offset_ms=offset_ms)
                return
            device = self._session.device()
            self._check_stream()
        except OnvifFailed as error:
            self._note(error)
            return
        self._failures = 0
        model = f"{device.manufacturer} {device.model}".strip()
        self.latest = Facts("ok", model, device.firmware, offset_ms)

    def _note(self, error: OnvifFailed) -> None:
        log.info("onvif failed camera=%s outcome=%s cause=%s", self._name, error.outcome, error)
        if error.outcome == "auth":
            self._refused_mono_s = self._clock.mono_s()
            self.latest = replace(self.latest, onvif="refused")
            return
        self._failures += 1
        if self._failures >= FAILURES_TO_MATTER:
            self.latest = replace(self.latest, onvif="unreachable", clock_offset_ms=None)

    def _is_locked_out(self) -> bool:
        if self._refused_mono_s is None:
            return False
        if self._clock.mono_s() - self._refused_mono_s < AFTER_REFUSAL_S:
            return True
        self._refused_mono_s = None
        return False

    def _renew_password(self) -> None:
        try:
            password = self._read_password()
        except OSError:
            return  # being replaced; the old one serves until the new one is there
        if password != self._password:
            self._password, self._refused_mono_s = password, None
            self._session = self._open_session(password)

    def _check_stream(self) -> None:
        """Say once when the config's stream is not the first that the camera offers."""
        if self._knows_stream:
            return
        self._knows_stream = True
        try:
            offered = self._session.stream_uri()
        except OnvifFailed as error:
            if error.outcome == "auth":
                raise
            return
        if urlsplit(offered).path != urlsplit(self._rtsp_url).path:
            log.warning(
                "camera offers another stream than configured camera=%s path=%s",
                self._name,
                urlsplit(offered).path,
            )
