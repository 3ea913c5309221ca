"""The recorder's keeper: index, journal, space and clips, in one thread; each camera has its own."""

import errno
import logging
import queue
import threading
from collections.abc import Iterator
from pathlib import Path

from siaga_core.service.clock import Clock, kernel_clock_state, read_boot
from siaga_core.service.files import write_atomic
from siaga_core.service.workers import Heartbeat, Stop
from siaga_core.wire.command import Command, FetchClip
from siaga_edge import transfers
from siaga_edge.inbox import Inbox, WakeSocket
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.journal.marks import read_marks
from siaga_edge.node import NodeConfig, Recorder
from siaga_edge.recorder import export
from siaga_edge.recorder.gaps import Gaps
from siaga_edge.recorder.keeping import ClockJudge, Keeper
from siaga_edge.recorder.notices import Missed, Notice, Spoilt, Started, Stopped, Working
from siaga_edge.recorder.pump import Pump
from siaga_edge.recorder.recoding import NotRecoded
from siaga_edge.recorder.status import write_status
from siaga_edge.recorder.writing import segment_path

log = logging.getLogger(__name__)

CLEAN_EVERY_S = 3600.0
# Orders come by the wake socket; room that a pump asks for is waited for much longer than this.
POLL_S = 0.5
# A clip's end is only cut when its last fragment must have come.
SETTLED_NS = 3_000_000_000
# A clip whose cutting ends the recorder every time must not keep it from recording.
TRIES_MOST = 3
# With every camera away for its own reasons the recorder still works; with none heard it is wedged.
PROOF_WITHIN_S = 30.0


class RecorderService:
    """Made and used in one thread, but for the pumps it starts."""

    def __init__(
        self,
        config: NodeConfig,
        settings: Recorder,
        clock: Clock,
        judge: ClockJudge = kernel_clock_state,
    ) -> None:
        self._config, self._settings, self._clock = config, settings, clock
        self._boot = read_boot(config.node.data_dir)
        self._journal = Journal(config.journal_file("recorder"), clock, self._boot, extra_schema=EXTRA_SCHEMA)
        self._inbox = Inbox(config.inbox_file, "recorder", self._journal)
        self._wake = WakeSocket(config.socket_file("recorder"))
        config.transfers_dir.mkdir(parents=True, exist_ok=True)
        self._keeper = Keeper(config, settings, clock, self._boot, self._journal, self._inbox, judge)
        self._index = self._keeper.index
        self._notices: queue.Queue[Notice] = queue.Queue()
        self._runs = {camera.id: queue.Queue[int](1) for camera in config.cameras}
        self._cleaned_mono_s = float("-inf")
        self._away: set[str] = set()
        self._gaps = Gaps([camera.id for camera in config.cameras], clock.wall_ns())
        self._proof_mono_s = clock.mono_s()

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Recover, record every camera, keep order until asked to stop."""
        self._keeper.begin(stop)
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
        self._keeper.end()

    def close(self) -> None:
        """Close the files."""
        self._wake.close()
        self._keeper.close()
        self._inbox.close()
        self._journal.close()

    def _pumps(self) -> Iterator[Pump]:
        live, place = self._config.node.run_dir / "live", self._keeper.place()
        for camera in self._config.cameras:
            runs = self._runs[camera.id]
            yield Pump(camera, self._settings, live / camera.id, place, self._clock, self._notices, runs)

    def _give_runs(self) -> None:
        for camera, runs in self._runs.items():
            if runs.empty():
                runs.put(self._index.next_run(camera))

    def _hear(self) -> None:
        while not self._notices.empty():
            notice = self._notices.get_nowait()
            match notice:
                case Missed(camera, packets):
                    self._gaps.missed(camera, packets)
                case Spoilt():
                    self._gaps.spoilt(notice)
                case Working():
                    self._gaps.working(notice)
                case Started():
                    self._resumed(notice)
                case Stopped(camera, _, reason):
                    self._away.add(camera)
                    self._gaps.stopped(camera, reason, self._clock.wall_ns())
                    self._keeper.say("warn", f"gap.{camera}", f"{camera}: {reason}")

    def _resumed(self, notice: Started) -> None:
        self._away.discard(notice.camera)
        self._gaps.started(notice)
        if notice.kind is not None:
            self._keeper.gap(notice.camera, notice.gap_start_wall_ns, notice.gap_end_wall_ns, notice.reason)

    def _tend(self, heartbeat: Heartbeat) -> None:
        now_s = self._clock.mono_s()
        if self._keeper.tend():
            self._proof_mono_s = now_s
        self._clips()
        if self._gaps.is_news(now_s):
            write_status(self._config.node.run_dir, self._gaps.status(self._clock.wall_ns()))
        if now_s - self._cleaned_mono_s >= CLEAN_EVERY_S:
            self._cleaned_mono_s = now_s
            self._journal.prune(read_marks(self._config.delivery_file))
        all_away = len(self._away) == len(self._config.cameras)
        if all_away or now_s - self._proof_mono_s < PROOF_WITHIN_S:
            heartbeat.beat()

    def _clips(self) -> None:
        now_wall_ns = self._clock.wall_ns()
        for order in self._inbox.waiting(now_wall_ns):
            if not isinstance(order.order, FetchClip):
                self._inbox.finish(order, "failed", f"a recorder does not know {type(order.order).__name__}")
            elif order.order.end_wall_ns + SETTLED_NS <= now_wall_ns:
                self._inbox.begin(order)
                self._cut(order, order.order)

    def _cut(self, order: Command, wanted: FetchClip) -> None:
        name = _file_name(order.id)
        target = self._config.transfers_dir / name
        part = target.with_suffix(".part")
        try:
            clip = export.cut(
                self._paths(wanted),
                wanted.start_wall_ns,
                wanted.end_wall_ns,
                part,
                self._index.dating.wall,
                tight=self._settings.ffmpeg if wanted.tight else "",
            )
            part.replace(target)
        except (export.NoFootage, NotRecoded) as error:
            part.unlink(missing_ok=True)
            self._inbox.finish(order, "failed", f"{wanted.camera}: {error}")
            return
        except OSError as error:
            part.unlink(missing_ok=True)
            why = "the node's disk is full" if error.errno == errno.ENOSPC else str(error)
            self._inbox.finish(order, "failed", f"{wanted.camera}: {why}")
            return
        result: dict[str, object] = {
            "size_bytes": clip.size_bytes,
            "sha256": clip.sha256,
            "start_wall_ns": clip.start_wall_ns,
            "end_wall_ns": clip.end_wall_ns,
            "pictures": clip.pictures,
            "gaps": [list(gap) for gap in clip.gaps],
            "error_ms": clip.error_ms,
            "hidden": clip.hidden,
            "silent": [list(span) for span in clip.silent],
        }
        ticket = transfers.Ticket(
            kind="clip",
            name=name,
            camera=wanted.camera,
            size_bytes=clip.size_bytes,
            sha256=clip.sha256,
            command_id=order.id,
            result=result,
        )
        # Announced first: a crash in between leaves a clip that arrives, never one said to be done and lost.
        transfers.publish(self._config.transfers_dir, ticket)
        self._inbox.finish(order, "done", result=result)
        log.info("clip cut id=%s bytes=%d pictures=%d", order.id, clip.size_bytes, clip.pictures)

    def _paths(self, wanted: FetchClip) -> list[Path]:
        """Files that may hold the span: closed segments, and those that are being written."""
        folder = self._settings.footage_dir
        unclosed = self._keeper.unclosed(wanted.camera)
        stored = self._index.between(wanted.camera, wanted.start_wall_ns, wanted.end_wall_ns)
        known = {one.name for one in stored}
        being_written = [name for name in unclosed if name not in known]
        return [segment_path(folder, name) for name in (*(one.name for one in stored), *being_written)]

    def _finish_interrupted(self) -> None:
        """Clips begun when the service died are cut again; one that was whole already is only told."""
        folder = self._config.transfers_dir
        for id in self._inbox.interrupted():
            order, ticket = self._inbox.find(id), transfers.find(folder, _file_name(id))
            if ticket is not None:
                self._inbox.finish(id, "done", result=dict(ticket.result))
            elif order is None or not isinstance(order.order, FetchClip):
                self._inbox.finish(id, "failed", "the recorder was interrupted while cutting; ask again")
            elif not self._try_again(id):
                self._inbox.finish(id, "failed", "cutting it stopped the recorder; ask for a shorter span")
            else:
                log.info("clip cut again after an interruption id=%s", id)
                self._cut(order, order.order)
                self._tries(id).unlink(missing_ok=True)

    def _tries(self, id: str) -> Path:
        return self._config.transfers_dir / f"clip-{id}.tries"

    def _try_again(self, id: str) -> bool:
        """Count one more try, durable before it is made; False after the last."""
        path = self._tries(id)
        count = len(path.read_bytes()) if path.exists() else 0
        if count >= TRIES_MOST:
            path.unlink()
            path.with_name(_file_name(id)).with_suffix(".part").unlink(missing_ok=True)
            return False
        write_atomic(path, b"." * (count + 1))
        return True


def _file_name(id: str) -> str:
    return f"clip-{id}.mp4"
