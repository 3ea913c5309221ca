"""The recorder's keeper: index, journal, space and clips, in one thread; each camera has its own."""

import errno
import logging
import os
import queue
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from siaga_core.service.clock import Clock, read_boot
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire import health, recording
from siaga_core.wire.command import Command, FetchClip
from siaga_core.wire.health import Level, ServiceState
from siaga_core.wire.recording import Segment
from siaga_edge import transfers
from siaga_edge.inbox import Inbox, WakeSocket
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig, Recorder
from siaga_edge.recorder import export
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.pump import Grew, Notice, Pump, Started, Stopped
from siaga_edge.recorder.retention import surplus
from siaga_edge.recorder.writing import Closed, segment_path

log = logging.getLogger(__name__)

SPACE_EVERY_S = 2.0
CLEAN_EVERY_S = 3600.0
POLL_S = 0.2
# A clip's end is only cut when its last fragment must have come.
SETTLED_NS = 3_000_000_000
# With every camera away for its own reasons the recorder still works; with none heard it is wedged.
PROOF_WITHIN_S = 30.0


class RecorderService:
    """Made and used in one thread, but for the pumps it starts."""

    def __init__(self, config: NodeConfig, settings: Recorder, clock: Clock) -> None:
        self._config, self._settings, self._clock = config, settings, clock
        self._boot = read_boot(config.node.data_dir)
        self._journal = Journal(config.journal_file("recorder"), clock, self._boot, extra_schema=EXTRA_SCHEMA)
        self._inbox = Inbox(config.inbox_file, "recorder", self._journal)
        self._wake = WakeSocket(config.socket_file("recorder"))
        settings.footage_dir.mkdir(parents=True, exist_ok=True)
        config.transfers_dir.mkdir(parents=True, exist_ok=True)
        self._index = Index(config.node.data_dir / "footage.db", settings.footage_dir)
        if self._index.damaged is not None:
            self._journal.note_damage("recorder", self._index.damaged, "made anew from the footage itself")
        self._notices: queue.Queue[Notice] = queue.Queue()
        self._runs = {camera.id: queue.Queue[int](1) for camera in config.cameras}
        self._space_mono_s = self._cleaned_mono_s = float("-inf")
        self._away: set[str] = set()
        self._proof_mono_s = clock.mono_s()

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Recover, record every camera, keep order until asked to stop."""
        for closed in self._index.recover():
            log.info("footage recovered segment=%s bytes=%d", closed.name, closed.size_bytes)
            self._tell(closed)
        self._finish_interrupted()
        threads = [threading.Thread(target=pump.work, args=(stop,), daemon=True) for pump in self._pumps()]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            self._give_runs()
            self._hear()
            self._tend(heartbeat)
            self._wake.wait(POLL_S)
        for thread in threads:
            thread.join(5)
        self._hear()

    def close(self) -> None:
        """Close the files."""
        self._wake.close()
        self._index.close()
        self._inbox.close()
        self._journal.close()

    def _pumps(self) -> Iterator[Pump]:
        live = self._config.node.run_dir / "live"
        for camera in self._config.cameras:
            runs = self._runs[camera.id]
            yield Pump(camera, self._settings, live / camera.id, self._boot, self._clock, self._notices, runs)

    def _give_runs(self) -> None:
        for camera, runs in self._runs.items():
            if runs.empty():
                runs.put(self._index.next_run(camera))

    def _hear(self) -> None:
        while not self._notices.empty():
            notice = self._notices.get_nowait()
            match notice:
                case Grew(_):
                    self._proof_mono_s = self._clock.mono_s()
                case Started():
                    self._resumed(notice)
                case Stopped(camera, reason):
                    self._away.add(camera)
                    self._say("warn", f"gap.{camera}", f"{camera}: {reason}")
                case Closed():
                    self._index.add(notice)
                    self._tell(notice)

    def _resumed(self, notice: Started) -> None:
        self._away.discard(notice.camera)
        if not notice.reason:
            return
        gap = Segment(
            event="gap",
            camera=notice.camera,
            segment=f"{notice.camera}/gap/{notice.gap_start_wall_ns}",
            start_wall_ns=notice.gap_start_wall_ns,
            duration_ms=max(0, notice.gap_end_wall_ns - notice.gap_start_wall_ns) // 1_000_000,
            reason=notice.reason,
        )
        self._journal.append(recording.KIND, gap, "bulk")
        self._say(
            "ok", f"gap.{notice.camera}", f"{notice.camera}: recording again after {gap.duration_ms} ms"
        )

    def _tend(self, heartbeat: Heartbeat) -> None:
        now_s = self._clock.mono_s()
        if now_s - self._space_mono_s >= SPACE_EVERY_S:
            self._space_mono_s = now_s
            self._make_space()
        self._clips()
        if now_s - self._cleaned_mono_s >= CLEAN_EVERY_S:
            self._cleaned_mono_s = now_s
            self._journal.prune(read_marks(self._config.delivery_file))
        all_away = len(self._away) == len(self._config.cameras)
        if all_away or now_s - self._proof_mono_s < PROOF_WITHIN_S:
            heartbeat.beat()

    def _make_space(self) -> None:
        """Unlink the oldest segments when space runs low; the file goes before its row does."""
        free_bytes = shutil.disk_usage(self._settings.footage_dir).free
        if free_bytes >= self._settings.free_reserve_bytes:
            return
        oldest = self._index.oldest_first()
        chosen = surplus(oldest, free_bytes, self._settings.free_reserve_bytes, frozenset())
        for stored in chosen:
            segment_path(self._settings.footage_dir, stored.name).unlink(missing_ok=True)
        for stored in chosen:
            self._index.remove(stored.name)
            duration_ms = (stored.end_wall_ns - stored.start_wall_ns) // 1_000_000
            gone = Segment(
                event="deleted",
                camera=stored.camera,
                segment=stored.name,
                start_wall_ns=stored.start_wall_ns,
                duration_ms=duration_ms,
            )
            self._journal.append(recording.KIND, gone, "bulk")
        if not chosen:
            self._say("crit", "disk", f"{free_bytes // 1024**2} MB left and nothing that may be deleted")

    def _clips(self) -> None:
        now_wall_ns = self._clock.wall_ns()
        for order in self._inbox.waiting(now_wall_ns):
            if not isinstance(order.order, FetchClip):
                self._inbox.finish(order, "failed", f"a recorder does not know {type(order.order).__name__}")
            elif order.order.end_wall_ns + SETTLED_NS <= now_wall_ns:
                self._inbox.begin(order)
                self._cut(order, order.order)

    def _cut(self, order: Command, wanted: FetchClip) -> None:
        name = f"clip-{order.id}.mp4"
        target = self._config.transfers_dir / name
        part = target.with_suffix(".part")
        try:
            clip = export.cut(self._paths(wanted), wanted.start_wall_ns, wanted.end_wall_ns, part)
            part.replace(target)
        except export.NoFootage as error:
            self._inbox.finish(order, "failed", f"{wanted.camera}: {error}")
            return
        except OSError as error:
            part.unlink(missing_ok=True)
            why = "the node's disk is full" if error.errno == errno.ENOSPC else str(error)
            self._inbox.finish(order, "failed", f"{wanted.camera}: {why}")
            return
        ticket = transfers.Ticket(
            kind="clip",
            name=name,
            camera=wanted.camera,
            size_bytes=clip.size_bytes,
            sha256=clip.sha256,
            command_id=order.id,
        )
        result: dict[str, object] = {
            "size_bytes": clip.size_bytes,
            "sha256": clip.sha256,
            "start_wall_ns": clip.start_wall_ns,
            "end_wall_ns": clip.end_wall_ns,
            "pictures": clip.pictures,
            "gaps": [list(gap) for gap in clip.gaps],
        }
        # Announced first: a crash in between leaves a clip that arrives, never one said to be done and lost.
        transfers.publish(self._config.transfers_dir, ticket)
        self._inbox.finish(order, "done", result=result)
        log.info("clip cut id=%s bytes=%d pictures=%d", order.id, clip.size_bytes, clip.pictures)

    def _paths(self, wanted: FetchClip) -> list[Path]:
        """Files that may hold the span: closed segments, and those that are being written."""
        folder = self._settings.footage_dir
        stored = self._index.between(wanted.camera, wanted.start_wall_ns, wanted.end_wall_ns)
        known = self._index.names()
        camera_dir = folder / wanted.camera
        being_written = [
            path
            for path in camera_dir.glob("*/*.mp4")
            if str(path.relative_to(folder))[: -len(".mp4")] not in known
        ]
        newest = sorted(being_written, key=os.path.getmtime)
        return [*(segment_path(folder, one.name) for one in stored), *newest]

    def _finish_interrupted(self) -> None:
        """Clips begun when the service died: said to have failed, so that somebody asks again."""
        for id in self._inbox.interrupted():
            self._inbox.finish(id, "failed", "the recorder was interrupted while cutting; ask again")

    def _tell(self, closed: Closed) -> None:
        segment = Segment(
            event="closed",
            camera=closed.camera,
            segment=closed.name,
            start_wall_ns=closed.start_wall_ns,
            duration_ms=(closed.end_wall_ns - closed.start_wall_ns) // 1_000_000,
            size_bytes=closed.size_bytes,
            sha256=closed.sha256,
        )
        self._journal.append(recording.KIND, segment, "bulk")

    def _say(self, level: Level, code: str, detail: str) -> None:
        state = ServiceState(service="recorder", level=level, code=code[:40], detail=detail[:400])
        self._journal.append(health.SERVICE_KIND, state)
