"""Room is made on the footage disk alone: never by forgetting footage whose disk is away."""

from pathlib import Path

import pytest

from siaga_core.service.clock import Boot
from siaga_edge.inbox import Inbox
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.node import Camera, Recorder
from siaga_edge.recorder.chain import FIRST_HEAD, Link, Span
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.holding import Holding
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.retention import Room
from siaga_edge.recorder.salvage import Closed
from siaga_edge.recorder.space import Space
from support.clock import FakeClock

S = 10**9
NAMES = ["cam-a/1-1/000001", "cam-a/1-1/000002", "cam-a/1-1/000003"]


@pytest.mark.parametrize(("is_there", "left"), [(False, set(NAMES)), (True, {NAMES[2]})])
def test_a_full_disk_below_an_empty_mount_point_costs_no_footage(
    tmp_path: Path, clock: FakeClock, is_there: bool, left: set[str]
) -> None:
    folder = tmp_path / "footage"
    folder.mkdir()  # the disk is away: what shows is the folder it is mounted on, full as the card is
    journal = Journal(tmp_path / "journal.db", clock, Boot(1, "boot"), extra_schema=EXTRA_SCHEMA)
    inbox = Inbox(tmp_path / "inbox.db", "recorder", journal)
    index = Index(tmp_path / "footage.db", folder)
    seen = Observation(1, 0, 1_795_000_000 * S, "synced", 10)
    for number, name in enumerate(NAMES, 1):
        span = Span(1, number * 60 * S, (number + 1) * 60 * S, 60_000, 60)
        link = Link("5be1c3a09f77d2e4", number, FIRST_HEAD, bytes(32), span, seen)
        index.add(Closed(name, "cam-a", 1000, link))
    holding = Holding(index, inbox, journal, tmp_path, 75.0)
    space = Space(
        [Camera(id="cam-a", rtsp_url="rtsp://192.0.2.1/")],
        Recorder(footage_dir=folder),
        index,
        holding,
        lambda _level, _code, _detail: None,
        lambda: is_there,
        lambda _folder, reserve_bytes: Room(0, 10**9, reserve_bytes),
    )
    space.tend(None)
    assert index.names() == left
    index.close()
    inbox.close()
    journal.close()
