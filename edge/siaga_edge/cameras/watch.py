"""The round over all cameras: newest picture, judgement, journal, picture up. One thread, one journal."""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from siaga_core.service.clock import Boot, Clock, new_id
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.health import CAMERA_KIND, CameraState
from siaga_core.wire.ids import CameraId
from siaga_edge.cameras import picture, postbox
from siaga_edge.cameras.facts import Facts
from siaga_edge.cameras.judgement import Judgement
from siaga_edge.cameras.picture import Eye, Frame, PictureUnreadable
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks

log = logging.getLogger(__name__)

SAY_AGAIN_S = 300.0  # a hub that was restored hears every camera's state within five minutes
_PRUNE_EVERY_S = 3600.0


class Source(Protocol):
    """Where a camera's pictures come from."""

    def newest(self) -> Frame | None:
        """The newest picture, once; None if there is no newer one. Raises PictureUnreadable."""


@dataclass
class Watched:
    """One camera in the round."""

    name: CameraId
    source: Source
    facts: Callable[[], Facts]
    judgement: Judgement
    eye: Eye = field(default_factory=Eye)
    said: tuple[str, Facts] | None = None
    said_mono_s: float = 0.0
    posted_mono_s: float | None = None

    def look(self, now_mono_s: float) -> Frame | None:
        """Look at the camera once; the new picture if there is one."""
        try:
            frame = self.source.newest()
        except PictureUnreadable as error:
            self.judgement = self.judgement.wait(now_mono_s, str(error))
            return None
        if frame is None:
            self.judgement = self.judgement.wait(now_mono_s)
            return None
        self.judgement = self.judgement.see(self.eye.look(frame.pixels, now_mono_s))
        return frame

    def news(self, now_mono_s: float) -> CameraState | None:
        """What the hub should hear now, None if nothing; call `spoken` once that is committed."""
        facts, status = self.facts(), self.judgement.status
        if status == "unknown":
            return None
        if self.said is not None and now_mono_s - self.said_mono_s < SAY_AGAIN_S:
            said_status, said_facts = self.said
            if status == said_status and not facts.is_news_after(said_facts):
                return None
        return CameraState(
            camera=self.name,
            status=status,
            reason=self.judgement.reason,
            model=facts.model,
            firmware=facts.firmware,
            clock_offset_ms=facts.clock_offset_ms,
            onvif=facts.onvif,
        )

    def spoken(self, state: CameraState, now_mono_s: float) -> bool:
        """Remember what was committed; whether the camera has just come up."""
        came_up = state.status == "up" and (self.said is None or self.said[0] != "up")
        facts = Facts(state.onvif, state.model, state.firmware, state.clock_offset_ms)
        self.said, self.said_mono_s = (state.status, facts), now_mono_s
        return came_up


@dataclass(frozen=True, slots=True)
class Places:
    """Files of the service."""

    journal: Path
    delivery: Path
    transfers: Path


class Round:
    """Goes round the cameras until told to stop. The heartbeat beats when a whole round is done."""

    def __init__(
        self,
        cameras: Sequence[Watched],
        places: Places,
        clock: Clock,
        boot: Boot,
        *,
        judge_every_s: float,
        picture_every_s: float,
    ) -> None:
        self._cameras, self._places, self._clock, self._boot = cameras, places, clock, boot
        self._judge_every_s, self._picture_every_s = judge_every_s, picture_every_s
        self._pruned_mono_s = clock.mono_s()

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Run; the journal belongs to this thread."""
        journal = Journal(self._places.journal, self._clock, self._boot)
        try:
            due_mono_s = self._clock.mono_s()
            while not stop.is_set():
                self.once(journal)
                heartbeat.beat()
                due_mono_s = max(due_mono_s + self._judge_every_s, self._clock.mono_s())
                stop.wait(due_mono_s - self._clock.mono_s())
        finally:
            journal.close()

    def once(self, journal: Journal) -> None:
        """One round over all cameras."""
        for camera in self._cameras:
            frame = camera.look(self._clock.mono_s())
            now_mono_s = self._clock.mono_s()
            came_up = False
            if (state := camera.news(now_mono_s)) is not None:
                journal.append(CAMERA_KIND, state)
                self._log(camera, state)
                came_up = camera.spoken(state, now_mono_s)
            if frame is not None and (came_up or self._is_due(camera, now_mono_s)):
                self._post(camera, frame, now_mono_s)
        self._prune(journal)

    def _log(self, camera: Watched, state: CameraState) -> None:
        if camera.said is None or camera.said[0] != state.status:
            level = logging.INFO if state.status == "up" else logging.WARNING
            log.log(level, "camera %s camera=%s reason=%s", state.status, state.camera, state.reason or "-")

    def _is_due(self, camera: Watched, now_mono_s: float) -> bool:
        return camera.posted_mono_s is None or now_mono_s - camera.posted_mono_s >= self._picture_every_s

    def _post(self, camera: Watched, frame: Frame, now_mono_s: float) -> None:
        """Send a picture up. That it cannot be kept must not stop the judging."""
        camera.posted_mono_s = now_mono_s
        try:
            jpeg = picture.jpeg(frame.pixels)
            unique = new_id(self._clock)
            postbox.post(self._places.transfers, camera.name, unique, jpeg, frame.taken_wall_ns)
        except (OSError, PictureUnreadable) as error:
            log.warning("picture not kept camera=%s cause=%s", camera.name, error)

    def _prune(self, journal: Journal) -> None:
        now_mono_s = self._clock.mono_s()
        if now_mono_s - self._pruned_mono_s < _PRUNE_EVERY_S:
            return
        self._pruned_mono_s = now_mono_s
        try:
            journal.prune(read_marks(self._places.delivery))
        except sqlite3.Error as error:
            log.warning("journal not pruned cause=%s", error)
