"""The recorder as its own process against simulated cameras, real ffmpeg between them."""

import base64
import contextlib
import hashlib
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_core.service.clock import SystemClock, read_boot
from siaga_edge.inbox import Inbox
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal
from siaga_edge.recorder.chain import FIRST_HEAD, LINK_BYTES
from siaga_edge.recorder.dating import Observation
from siaga_edge.recorder.disk import open_disk
from siaga_edge.recorder.fragments import Init, Parser
from siaga_edge.recorder.index import Index
from siaga_edge.recorder.salvage import link_of
from support.recorder_service import Recorder
from support.simulated_camera import SimulatedCameras, simulated_cameras
from support.waiting import until


@pytest.fixture
def cameras(tmp_path: Path) -> Iterator[SimulatedCameras]:
    with simulated_cameras(tmp_path, "cam-a") as running:
        yield running


@pytest.fixture
def recorder(tmp_path: Path, cameras: SimulatedCameras) -> Iterator[Recorder]:
    made = Recorder(tmp_path, cameras)
    made.start()
    until(lambda: list(made.footage.glob("cam-a/*/*.mp4")), 20, because="footage begins")
    yield made
    made.process.kill()
    made.process.wait()


def probe(path: Path) -> dict[str, str]:
    """What ffprobe, an independent reader, finds after decoding everything."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries"]
    command += ["stream=nb_read_frames,codec_name:format=duration", "-of", "default=nw=1", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # Where locked memory is not to be had, libgcrypt says so; that says nothing about the file.
    assert done.stderr.replace("Warning: using insecure memory!\n", "") == ""
    return dict(line.split("=") for line in done.stdout.split())


def test_segments_are_whole_files_that_play_and_are_linked_one_to_the_next(recorder: Recorder) -> None:
    until(lambda: len(recorder.closed()) >= 2, 25)
    head = b""
    for stored in recorder.closed()[:2]:
        path = recorder.footage / f"{stored.name}.mp4"
        assert int(probe(path)["nb_read_frames"]) >= 20
        link = link_of(path)
        assert link is not None
        assert hashlib.sha256(path.read_bytes()[:-LINK_BYTES]).digest() == link.sha256
        assert link.head_before == (head or FIRST_HEAD)
        head = link.head(stored.name).head


def test_coverage_tells_how_far_footage_has_come_and_the_head_of_the_chain(recorder: Recorder) -> None:
    told = until(recorder.coverage, 15)[0]
    [camera] = told["cameras"]
    assert camera["camera"] == "cam-a"
    assert camera["upto_ago_ms"] < 2500
    assert camera["since_ago_ms"] > camera["upto_ago_ms"]
    until(lambda: len(recorder.closed()) >= 2, 25)
    recorder.end(signal.SIGTERM)
    last = recorder.coverage()[-1]
    stored = recorder.closed()[-1]
    link = link_of(recorder.footage / f"{stored.name}.mp4")
    assert link is not None
    assert last["cameras"][0]["since_ago_ms"] is None, "it goes on"
    assert last["links"] == stored.number
    assert base64.b64decode(last["head"]) == link.head(stored.name).head


def test_no_password_is_seen_in_the_process_list(tmp_path: Path, cameras: SimulatedCameras) -> None:
    password = cameras.password_file.read_text().strip().encode()
    recorder = Recorder(tmp_path, cameras, engine="ffmpeg")
    recorder.start()
    try:
        until(lambda: list(recorder.footage.glob("cam-a/*/*.mp4")), 20, because="footage begins")
        lines = [line for line in _command_lines() if b"ffmpeg" in line]
        assert any(b"concat" in line for line in lines)
        assert not any(password in line for line in lines)
    finally:
        recorder.end()


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            yield path.read_bytes()


def test_live_pictures_are_a_ring_of_short_fragments_that_covers_the_last_group(recorder: Recorder) -> None:
    live = recorder.folder / "run" / "live" / "cam-a"
    names = until(lambda: _ring(live), 15)
    assert not names[0].endswith("-on.m4s"), "it begins with a key picture"
    assert len([name for name in names if not name.endswith("-on.m4s")]) >= 2
    assert len(names) <= 7, "groups of 1 s in fragments of 0.5 s: four at least, a group is spare"
    # Half a second of pictures and 0.1 s of rounding; ten pictures a second, so five of them.
    init = (live / "init.mp4").read_bytes()
    for made in Parser().feed(init + (live / names[0]).read_bytes() + (live / names[1]).read_bytes()):
        assert isinstance(made, Init) or made.duration <= 45_000
    joined = recorder.folder / "live.mp4"
    joined.write_bytes(init + b"".join((live / name).read_bytes() for name in names))
    assert int(probe(joined)["nb_read_frames"]) >= 5 * len(names) - 4


def _ring(live: Path) -> list[str]:
    """Names of the fragments, oldest first; empty while there are few."""
    names = sorted(path.name for path in live.glob("[0-9]*.m4s"))
    return names if len(names) >= 5 else []


def test_a_clip_is_what_was_asked_and_plays(recorder: Recorder) -> None:
    until(lambda: recorder.closed(), 25)
    start = recorder.closed()[0].start_wall_ns + 1_300_000_000
    recorder.ask("01KA6P3ZQ4N8S5T6V7W8X9Y0Z2", "cam-a", start, start + 4_000_000_000)
    outcome = until(lambda: recorder.outcome("01KA6P3ZQ4N8S5T6V7W8X9Y0Z2"), 25)
    assert outcome["state"] == "done", outcome
    result = outcome["result"]
    assert isinstance(result, dict)
    [clip] = (recorder.folder / "data" / "transfers").glob("clip-*.mp4")
    assert hashlib.sha256(clip.read_bytes()).hexdigest() == result["sha256"]
    found = probe(clip)
    assert abs(float(found["duration"]) - 4) < 0.3
    assert 38 <= result["pictures"] <= 41
    assert abs(result["start_wall_ns"] - start) < 150_000_000


def interrupt_while_cutting(recorder: Recorder, id: str, start_wall_ns: int, tries: int) -> None:
    """Leave what a recorder leaves that was killed in the middle: a clip begun, a part of its file."""
    recorder.end(signal.SIGTERM)
    recorder.ask(id, "cam-a", start_wall_ns, start_wall_ns + 4_000_000_000)
    data = recorder.folder / "data"
    with contextlib.closing(
        Journal(data / "journal-recorder.db", SystemClock(), read_boot(data), extra_schema=EXTRA_SCHEMA)
    ) as journal:
        inbox = Inbox(data / "inbox.db", "recorder", journal)
        [order] = [one for one in inbox.waiting(0) if one.id == id]
        inbox.begin(order)
        inbox.close()
    (data / "transfers" / f"clip-{id}.part").write_bytes(b"half of it")
    (data / "transfers" / f"clip-{id}.tries").write_bytes(b"." * tries)
    recorder.start()


def test_a_clip_that_was_interrupted_is_cut_again_by_itself_and_not_for_ever(recorder: Recorder) -> None:
    until(lambda: recorder.closed(), 25)
    start = recorder.closed()[0].start_wall_ns + 1_300_000_000
    id, folder = "01KA6P3ZQ4N8S5T6V7W8X9Y0Z4", recorder.folder / "data" / "transfers"
    interrupt_while_cutting(recorder, id, start, tries=1)
    outcome = until(lambda: recorder.outcome(id), 25)
    assert outcome["state"] == "done", outcome
    assert int(probe(folder / f"clip-{id}.mp4")["nb_read_frames"]) >= 10
    assert not list(folder.glob("*.part")) + list(folder.glob("*.tries"))
    other = "01KA6P3ZQ4N8S5T6V7W8X9Y0Z5"
    interrupt_while_cutting(recorder, other, start, tries=3)
    outcome = until(lambda: recorder.outcome(other), 25)
    assert (outcome["state"], "shorter span" in str(outcome["detail"])) == ("failed", True)
    assert not list(folder.glob("*.part")) + list(folder.glob("*.tries"))


def test_a_span_without_footage_is_said_to_have_none(recorder: Recorder) -> None:
    recorder.ask("01KA6P3ZQ4N8S5T6V7W8X9Y0Z3", "cam-a", 1_000_000_000, 2_000_000_000)
    outcome = until(lambda: recorder.outcome("01KA6P3ZQ4N8S5T6V7W8X9Y0Z3"), 15)
    assert outcome["state"] == "failed"
    assert "no footage" in str(outcome["detail"])


def test_a_lost_camera_is_a_gap_with_a_reason_and_recording_goes_on(
    recorder: Recorder, cameras: SimulatedCameras
) -> None:
    cameras.control.switch("cam-a", "drop", 2)
    gap = until(lambda: [b for b in recorder.records("recording") if b["event"] == "gap"], 30)[0]
    assert gap["reason"]
    assert int(str(gap["duration_ms"])) >= 1500
    wanted = [("warn", "gap.cam-a"), ("ok", "gap.cam-a")]
    until(lambda: [(body["level"], body["code"]) for body in recorder.records("service")] == wanted)


def test_after_a_kill_nothing_synced_is_lost_and_the_index_is_the_files(recorder: Recorder) -> None:
    until(lambda: len(list(recorder.footage.glob("cam-a/*/*.mp4"))) > len(recorder.closed()) > 0, 25)
    killed_wall_ns = time.time_ns()
    recorder.end()
    assert not _children_of(recorder), "ffmpeg ended with the recorder"
    [torn] = (path for path in recorder.footage.glob("cam-a/*/*.mp4") if link_of(path) is None)
    with torn.open("ab") as file:
        file.write(b"\x00\x00\x10\x00moofTORN")
    recorder.start()
    until(lambda: any(one.name in str(torn) for one in recorder.closed()), 25)
    [recovered] = [one for one in recorder.closed() if one.name in str(torn)]
    assert killed_wall_ns - recovered.end_wall_ns < 2_500_000_000
    link = link_of(torn)
    assert link is not None
    assert hashlib.sha256(torn.read_bytes()[:-LINK_BYTES]).digest() == link.sha256
    told = until(lambda: [b for b in recorder.records("service") if b["code"] == "footage.recovered"])
    assert "1 open segments" in str(told[0]["detail"])
    recorder.end(signal.SIGTERM)
    assert dump(rebuilt(recorder)) == dump(recorder.folder / "data" / "footage.db")


def rebuilt(recorder: Recorder) -> Path:
    """An index made from the files alone."""
    path = recorder.folder / "rebuilt.db"
    with contextlib.closing(Index(path, recorder.footage)) as index:
        meta = open_disk(recorder.footage, "btm-017", None)
        index.use(meta)
        assert list(index.recover(meta.disk, Observation(9, 9, 9, "unknown", None)))
    return path


def dump(path: Path) -> list[tuple[object, ...]]:
    """Every row that comes from files, and the observations that files hold."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM segment ORDER BY number").fetchall()
        return rows + connection.execute("SELECT * FROM clock_observation ORDER BY 1, 2").fetchall()


def _children_of(recorder: Recorder) -> list[Path]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if words[1] == str(recorder.process.pid) and words[0] != "Z":
            found.append(path)
    return found
