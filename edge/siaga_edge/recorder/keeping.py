"""The keeper of the footage disk: whose it is, what is on it, how far it is durable, what must go."""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from siaga_core.service.clock import Boot, Clock, above_floor, kernel_clock_state, read_floor_ns
from siaga_core.service.workers import Stop
from siaga_core.wire import health, recording
from siaga_core.wire.envelope import ClockState
from siaga_core.wire.health import Level, ServiceState
from siaga_core.wire.recording import Segment
from siaga_edge.inbox import Inbox
from siaga_edge.journal import Journal
from siaga_edge.node import NodeConfig, Recorder
from siaga_edge.recorder import disk
from siaga_edge.recorder.canary import CANARY_EVERY_S, Canary
from siaga_edge.recorder.coverage import Coverage
from siaga_edge.recorder.dating import Observation, is_news
from siaga_edge.recorder.flushing import Durable, Flusher
from siaga_edge.recorder.granting import Granting
from siaga_edge.recorder.grants import Now
from siaga_edge.recorder.holding import Holding
from siaga_edge.recorder.index import Index, Recovered
from siaga_edge.recorder.inventory import NotedGap
from siaga_edge.recorder.salvage import Closed
from siaga_edge.recorder.space import Space
from siaga_edge.recorder.writing import Place, Unwritten, WrittenAgain

log = logging.getLogger(__name__)

SPACE_EVERY_S = 2.0
HOLDS_EVERY_S = 1.0
STANDING_EVERY_S = 5.0
# After a segment's time is up, the key picture that ends it, its sync and its link.
SETTLE_S = 15.0
OBSERVE_EVERY_S = 1.0
COVERAGE_EVERY_S = 60.0
FIRST_COVERAGE_S = 5.0

ClockJudge = Callable[[], tuple[ClockState, int | None]]


@dataclass(frozen=True, slots=True)
class CanaryCame:
    """What is wrong with the disk; empty: nothing."""

    wrong: str


Told = Durable | Closed | Unwritten | WrittenAgain | CanaryCame


class Keeper:
    """Owns index and flusher; used in the recorder's one thread, but for what pumps ask of `place`."""

    make_flusher = Flusher

    def __init__(
        self,
        config: NodeConfig,
        settings: Recorder,
        clock: Clock,
        boot: Boot,
        journal: Journal,
        inbox: Inbox,
        judge: ClockJudge = kernel_clock_state,
    ) -> None:
        """Open the index and the disk. Raises AlreadyOpen, ForeignDisk, DiskAway, OSError."""
        self._config, self._settings, self._clock, self._boot = config, settings, clock, boot
        self._journal, self._judge = journal, judge
        self.index = Index(config.node.data_dir / "footage.db", settings.footage_dir)
        try:
            self._meta = disk.open_disk(settings.footage_dir, config.node.id, self.index.disk())
        except BaseException:
            self.index.close()
            raise
        settle_s = settings.segment_s + SETTLE_S
        self._holding = Holding(self.index, inbox, journal, config.node.data_dir, settle_s)
        self._granting = Granting(config, journal, self._now)
        self._space = Space(config.cameras, settings, self.index, self._holding, self.say, self._is_there)
        self._seen = self._look_at_clock()
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._coverage = Coverage()
        self._room_wanted = threading.Event()
        self._flushing = threading.Thread()
        self._stop = Stop()
        self._due: dict[str, float] = {}
        self._wrong = ""

    def begin(self, stop: Stop) -> None:
        """Recover what the last power cut left, then begin to flush."""
        self._stop = stop
        if self.index.damaged is not None:
            self._journal.note_damage("recorder", self.index.damaged, "made anew from the footage itself")
        if self.index.use(self._meta):
            self.say("warn", "disk.changed", f"recording on footage disk {self._meta.disk} now")
        self._note_clock()
        self._recover()
        self._holding.take()  # before anything may be deleted
        self.flusher = self.make_flusher(
            self._clock, self._told.put, self.index.head(self._meta.disk), lambda: self._seen
        )
        self._flushing = threading.Thread(target=self.flusher.work, args=(stop,), daemon=True)
        self._flushing.start()
        threading.Thread(target=self._sing, args=(stop,), daemon=True).start()

    def place(self) -> Place:
        """Where the pumps' writers write."""
        return Place(
            folder=self._settings.footage_dir,
            boot=self._boot,
            clock=self._clock,
            segment_s=self._settings.segment_s,
            flusher=self.flusher,
            tell=self._told.put,
            wait=self._stop.wait,
            make_room=self._room_wanted.set,
            is_there=self._is_there,
            paused=self._space.paused,
        )

    def unclosed(self, camera: str) -> list[str]:
        """A camera's segments that no row knows yet, oldest first; they may be closed meanwhile."""
        names = self.flusher.unclosed(camera)
        self._hear()
        return names

    def tend(self) -> bool:
        """Do what is due; whether footage became durable meanwhile: proof of work."""
        durable = self._hear()
        if self._is_due("clock", OBSERVE_EVERY_S):
            self._note_clock()
        if self._is_due("holds", HOLDS_EVERY_S):
            self._holding.take()
            self._granting.take()
        if self._is_due("standing", STANDING_EVERY_S):
            self._holding.tell(self._now_wall_ns())
        if self._room_wanted.is_set() or self._is_due("space", SPACE_EVERY_S):
            self._room_wanted.clear()
            self._keep_paper()
            self._space.tend(self._certain_wall_ns())
        if self._is_due("coverage", COVERAGE_EVERY_S):
            self._tell_coverage()
        return durable

    def end(self) -> None:
        """After the last pump has ended: flush, link and tell what is left."""
        if self._flushing.ident is not None:
            self._flushing.join(10)
            self._hear()
            self._tell_coverage()

    def close(self) -> None:
        """Close the index."""
        self.index.close()

    def say(self, level: Level, code: str, detail: str) -> None:
        """Tell the hub something an operator should know."""
        state = ServiceState(service="recorder", level=level, code=code[:40], detail=detail[:400])
        self._journal.append(health.SERVICE_KIND, state)

    def gap(self, camera: str, start_wall_ns: int, end_wall_ns: int, reason: str) -> None:
        """Tell of a span that was not recorded, and that recording goes on."""
        lasted_ms = max(0, end_wall_ns - start_wall_ns) // 1_000_000
        gap = Segment(
            event="gap",
            camera=camera,
            segment=f"{camera}/gap/{start_wall_ns}",
            start_wall_ns=start_wall_ns,
            duration_ms=lasted_ms,
            reason=reason,
        )
        self._journal.append(recording.KIND, gap, "bulk")
        self.index.note_gap(camera, NotedGap(start_wall_ns, end_wall_ns, reason))
        self.say("ok", f"gap.{camera}", f"{camera}: recording again after {lasted_ms} ms")

    def _is_there(self) -> bool:
        return disk.is_there(self._settings.footage_dir, self._meta)

    def _keep_paper(self) -> None:
        with contextlib.suppress(OSError):  # a disk that refuses is said by what cannot be written
            if disk.keep_paper(self._settings.footage_dir, self._meta):
                self.say("warn", "disk.paper", "META.json of the footage disk was lost; it is written again")

    def _is_due(self, what: str, every_s: float) -> bool:
        now_s = self._clock.mono_s()
        # The first coverage waits for the first footage, the rest of it is due at once.
        first_s = now_s - every_s + (FIRST_COVERAGE_S if what == "coverage" else 0)
        if now_s - self._due.setdefault(what, first_s) < every_s:
            return False
        self._due[what] = now_s
        return True

    def _sing(self, stop: Stop) -> None:
        """Send a canary into the disk now and then; in a thread of its own, because a bad disk takes long."""
        canary = Canary(self._settings.footage_dir)
        while not stop.wait(CANARY_EVERY_S):
            if self._is_there():
                self._told.put(CanaryCame(canary.check()))

    def _canary(self, wrong: str) -> None:
        if wrong != self._wrong:
            level: Level = "crit" if wrong else "ok"
            self.say(
                level, "disk.canary", f"footage disk: {wrong}" if wrong else "the disk keeps what it is given"
            )
        self._wrong = wrong

    def _hear(self) -> bool:
        durable, closed = False, list[Closed]()
        while not self._told.empty():
            match self._told.get():
                case Durable(camera, start_ns, end_ns):
                    self._coverage.grew(camera, start_ns, end_ns)
                    durable = True
                case Closed() as one:
                    closed.append(one)
                case CanaryCame(wrong):
                    self._canary(wrong)
                case Unwritten(camera, _, reason):
                    self.say("warn", f"gap.{camera}", f"{camera}: {reason}")
                case WrittenAgain(camera, start_ns, end_ns, reason):
                    self.gap(camera, start_ns, end_ns, reason)
        if closed:
            self.index.add_all(closed)
            late_ns = self._clock.boot_ns() - int((self._settings.segment_s + SETTLE_S) * 1e9)
            if any(one.link.span.end_boot_ns < late_ns for one in closed):
                self.index.generation += 1  # taken in after holds of its time were settled
        return durable

    def _now_wall_ns(self) -> int:
        """Now, by the same observations that date footage."""
        now = self._look_at_clock()
        return self.index.dating.wall(now.boot_seq, now.boot_ns).wall_ns

    def _certain_wall_ns(self) -> int | None:
        """Now; None while the clock of this boot was not set."""
        now = self._look_at_clock()
        dated = self.index.dating.wall(now.boot_seq, now.boot_ns)
        return None if dated.error_ms is None else dated.wall_ns

    def _now(self) -> Now:
        """The clock as grants are judged by it: it never goes behind footage that was dated for certain."""
        seen, newest = self._look_at_clock(), self.index.newest()
        floor_ns = 0
        if newest is not None and newest.error_ms is not None:
            floor_ns = newest.end_wall_ns - newest.error_ms * 1_000_000
        return Now(seen.wall_ns, seen.state, floor_ns)

    def _look_at_clock(self) -> Observation:
        boot_ns, wall_ns = self._clock.boot_ns(), self._clock.wall_ns()
        floor_ns = read_floor_ns(self._config.node.data_dir)
        state, error_ms = above_floor(wall_ns, floor_ns, *self._judge())
        return Observation(self._boot.seq, boot_ns, wall_ns, state, error_ms)

    def _note_clock(self) -> None:
        """Keep an observation of the wall clock when it says something new."""
        now = self._look_at_clock()
        if self._due.get("seen") is None or is_news(self._seen, now):
            self._due["seen"] = 0.0
            self.index.observe(now)
            self._seen = now

    def _recover(self) -> None:
        rebuilt = self.index.damaged is not None or self.index.newest() is None
        recovered = list(self.index.recover(self._meta.disk, self._seen))
        cut = [one for one in recovered if one.was_open]
        for one in cut:
            log.info(
                "footage recovered segment=%s bytes=%d cut=%d",
                one.closed.name,
                one.closed.size_bytes,
                one.cut_bytes,
            )
        if cut:
            seconds = sum(one.closed.link.span.media_ms for one in cut) / 1000
            octets = sum(one.cut_bytes for one in cut)
            detail = f"{len(cut)} open segments kept with {seconds:.1f} s; {octets} torn octets cut"
            self.say("ok", "footage.recovered", detail)
        self._cover_recovered(cut if rebuilt else recovered)
        self._miss(self.index.missing())

    def _cover_recovered(self, recovered: Iterable[Recovered]) -> None:
        """Footage that the last start could not tell of any more: counted back by its derived wall time."""
        now = self._look_at_clock()
        now_wall_ns = self.index.dating.wall(now.boot_seq, now.boot_ns).wall_ns
        for one in recovered:
            span = one.closed.link.span
            start = self.index.dating.wall(span.boot_seq, span.start_boot_ns).wall_ns
            end = self.index.dating.wall(span.boot_seq, span.end_boot_ns).wall_ns
            self._coverage.grew(
                one.closed.camera, now.boot_ns - now_wall_ns + start, now.boot_ns - now_wall_ns + end
            )

    def _miss(self, names: list[str]) -> None:
        """Rows without a file: given up just before the power cut, or taken away by somebody."""
        if names:
            self.index.remove(names)
            self.index.generation += 1
            self.say("warn", "footage.missing", f"{len(names)} segments have no file: {', '.join(names[:3])}")

    def _tell_coverage(self) -> None:
        """Journal how far each camera's durable footage has come, and the head of the chain: always.

        A minute without a head is one in which the card may have been changed.
        """
        now = self._look_at_clock()
        said = self._coverage.tell(now.boot_ns, self._kept_ago_s(now))
        head = self.flusher.head
        body = recording.Coverage(cameras=said, chain=head.chain, links=head.links, head=head.head)
        self._journal.append(recording.COVERAGE_KIND, body, "bulk")

    def _kept_ago_s(self, now: Observation) -> dict[str, int]:
        """How long ago the oldest footage is that retention has left, of each camera."""
        now_wall_ns = self.index.dating.wall(now.boot_seq, now.boot_ns).wall_ns
        oldest = {camera: self.index.of_camera(camera, 1) for camera in self.index.cameras()}
        return {
            camera: (now_wall_ns - found[0].start_wall_ns) // 10**9
            for camera, found in oldest.items()
            if found
        }
