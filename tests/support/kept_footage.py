"""A keeper with one camera's writer, without a camera: real files, index, journal, inbox, our clock."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from powercut.footage_work import media
from siaga_core.service.clock import read_boot
from siaga_core.service.workers import Stop
from siaga_core.wire.envelope import ClockState
from siaga_core.wire.want import Want
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.node import Camera, Hub, Node, NodeConfig, Recorder
from siaga_edge.recorder.keeping import Keeper
from siaga_edge.recorder.retention import Stored
from siaga_edge.recorder.writing import SegmentWriter
from support.clock import FakeClock
from support.waiting import until

FRAGMENT_S = 0.5
SEGMENT_S = 5.0


class KeptFootage:
    """One life of the recorder, from its start to its end."""

    def __init__(
        self,
        folder: Path,
        footage: Path,
        clock: FakeClock,
        cameras: list[Camera],
        reserve: int,
        ca_file: Path,
        keeper: type[Keeper] = Keeper,
        state: tuple[ClockState, int | None] = ("synced", 10),
    ) -> None:
        settings = Recorder(footage_dir=footage, segment_s=SEGMENT_S, free_reserve_bytes=reserve)
        none = Path("x")
        hub = Hub(broker_host="", gateway_url="", ca_file=ca_file, certificate_file=none, key_file=none)
        node = Node(id="btm-017", site="s", data_dir=folder / "data", run_dir=folder / "run")
        self.config = NodeConfig(node=node, hub=hub, cameras=cameras, recorder=settings)
        self.clock = clock
        self.state = state
        node.data_dir.mkdir(exist_ok=True)
        boot = read_boot(node.data_dir)
        self.journal = Journal(self.config.journal_file("recorder"), clock, boot, extra_schema=EXTRA_SCHEMA)
        inbox = Inbox(self.config.inbox_file, "recorder", self.journal)
        self.keeper = keeper(self.config, settings, clock, boot, self.journal, inbox, self.judge)
        self._inbox, self._stop, self._number = inbox, Stop(), 0
        self.keeper.begin(self._stop)
        self.keeper.flusher.gather_s = 0.002
        self.place = self.keeper.place()
        self.writers = {camera.id: self.writer(camera.id) for camera in cameras}

    def judge(self) -> tuple[ClockState, int | None]:
        return self.state

    def writer(self, camera: str) -> SegmentWriter:
        made = SegmentWriter(self.place, camera, self.keeper.index.next_run(camera))
        made.begin(media()[0])
        return made

    def record(self, seconds: float, *cameras: str) -> None:
        """Let that much footage of every camera come, and the keeper do its work."""
        fragments = media()[1]
        for _ in range(round(seconds / FRAGMENT_S)):
            self.clock.advance(FRAGMENT_S)
            for name in cameras or self.writers:
                self.writers[name].add(fragments[self._number % len(fragments)])
            self._number += 1
            self.settle()
            self.keeper.tend()

    def settle(self) -> None:
        """Until the flusher has done what waited."""
        flusher = self.keeper.flusher
        until(lambda: not (flusher._dirty or flusher._closings or flusher._wanted.is_set()))

    def wish(self, version: int, *holds: tuple[str, str, int, int]) -> None:
        """The hub's desired state, as the uplink commits it."""
        body = {
            "holds": [
                {"id": id, "camera": camera, "start_wall_ns": start, "end_wall_ns": end}
                for id, camera, start, end in holds
            ]
        }
        raw = msgspec.Raw(json.dumps(body).encode())
        with contextlib.closing(InboxWriter(self.config.inbox_file)) as writer:
            writer.put_want(Want(node="btm-017", service="recorder", name="holds", version=version, body=raw))

    def stored(self) -> list[Stored]:
        return self.keeper.index.oldest_first()

    def records(self, kind: str) -> list[dict[str, Any]]:
        rows = self.journal.connection.execute(
            "SELECT body FROM record WHERE kind = ? ORDER BY lane DESC, seq", (kind,)
        )
        return [json.loads(row[0]) for row in rows]

    def end(self) -> None:
        self._stop.set()
        self.keeper.end()
        self.keeper.close()
        self._inbox.close()
        self.journal.close()


@contextlib.contextmanager
def kept_footage(
    folder: Path,
    *,
    footage: Path | None = None,
    clock: FakeClock | None = None,
    cameras: list[Camera] | None = None,
    reserve: int = 0,
    ca_file: Path = Path("x"),
    keeper: type[Keeper] = Keeper,
    state: tuple[ClockState, int | None] = ("synced", 10),
) -> Iterator[KeptFootage]:
    """A running keeper; ended, as at a stop of the service, when the block is left."""
    kept = KeptFootage(
        folder,
        footage or folder / "footage",
        clock or FakeClock(),
        cameras or [Camera(id="gate", rtsp_url="rtsp://x")],
        reserve,
        ca_file,
        keeper,
        state,
    )
    try:
        yield kept
    finally:
        kept.end()
