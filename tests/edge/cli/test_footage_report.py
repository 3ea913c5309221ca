"""`siaga-node footage list`, `find` and `hold` beside a recorder that goes on."""

from pathlib import Path

import pytest

from siaga_core.service.database import AlreadyOpen
from siaga_edge.cli import footage_hold
from siaga_edge.node import Camera
from siaga_edge.recorder.index import Index
from support.clock import FakeClock
from support.footage_command import FootageCommand, iso
from support.kept_footage import KeptFootage, kept_footage

S = 10**9


def _span(kept: KeptFootage, since_s: float, lasts_s: float) -> tuple[int, int]:
    start = kept.clock.wall_ns() - int(since_s * S)
    return start, start + int(lasts_s * S)


def test_list_says_how_much_from_when_to_when_what_is_missing_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = FakeClock()
    begun_ns = clock.wall_ns()
    cameras = [Camera(id="gate", rtsp_url="x"), Camera(id="yard", rtsp_url="x")]
    with kept_footage(tmp_path, clock=clock, cameras=cameras) as kept:
        command = FootageCommand(kept.config, capsys)
        kept.record(20)
        kept.writers["gate"].close()
        clock.advance(30)
        kept.keeper.gap("gate", clock.wall_ns() - 30 * S, clock.wall_ns(), "the camera is silent")
        kept.writers["gate"] = kept.writer("gate")
        kept.record(20, "gate")
        status, said = command.json("list")
        assert status == 0
        gate, yard = said["cameras"]
        assert gate["camera"] == "gate"
        assert abs(gate["start_wall_ns"] - begun_ns) <= 1 * S
        assert gate["error_ms"] is not None
        [hole] = gate["holes"]
        assert hole["why"] == "the camera is silent"
        assert hole["end_wall_ns"] - hole["start_wall_ns"] == pytest.approx(30 * S, abs=1 * S)
        assert gate["size_bytes"] > yard["size_bytes"] > 0
        assert not yard["holes"]
        assert said["outlook"]["kept_days"] > 0
        assert said["free_bytes"] > 0
        page = command.run("list")[1]
        assert "the camera is silent" in page
        assert "WIB" in page
        assert "hari/days" in page


def test_find_says_what_covers_a_span_and_what_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        command = FootageCommand(kept.config, capsys)
        kept.record(40)
        start, end = _span(kept, 30, 12)
        kept.wish(1, ("h1", "gate", start, start + 5 * S))
        kept.record(2)
        status, said = command.json("find", "gate", iso(start), iso(end))
        assert (status, said["complete"], said["missing"]) == (0, True, [])
        names = [one["name"] for one in said["segments"]]
        assert names == sorted(names)
        assert {hold for _, hold in said["held"]} == {"h1"}
        assert said["held"][0][0] == names[0]
        status, said = command.json("find", "gate", iso(start - 1000 * S), iso(end))
        assert (status, said["complete"]) == (3, False)
        assert said["missing"][0]["start_wall_ns"] == start - 1000 * S
        assert "older than what is kept" in said["missing"][0]["why"]
        status, said = command.json("find", "gate", iso(start - 1000 * S), iso(start - 900 * S))
        assert (status, said["segments"]) == (4, [])
        assert command.run("find", "gate", iso(start), iso(end))[1].endswith("lengkap / complete\n")


def test_what_cannot_be_looked_up_is_refused_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        command = FootageCommand(kept.config, capsys)
        kept.record(6)
        status, _, why = command.run("find", "gaet", "14.03", "14.05")
        assert status == 1
        assert "only gate" in why
        status, _, why = command.run("find", "gate", "halb drei", "14.05")
        assert status == 1
        assert "write it as" in why


def test_a_disk_of_another_node_is_refused_by_every_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(6)
        command = FootageCommand(kept.config, capsys)
    command.path.write_text(command.path.read_text().replace("btm-017", "btm-018"))
    for words in (
        ("list",),
        ("find", "gate", "14.03", "14.05"),
        ("hold",),
        ("hold", "gate", "14.03", "14.05", "--reason", "x"),
        ("verify",),
        ("rebuild",),
        ("clip", "gate", "14.03", "14.05", "--grant", str(command.path), "--out", str(tmp_path / "x.mp4")),
    ):
        status, _, why = command.run(*words)
        assert status == 1, words
        assert "is the footage disk of btm-017, not of btm-018" in why, words
    assert not list((tmp_path / "data" / "footage-requests").iterdir())


def test_a_hold_is_asked_of_the_recorder_and_shows_what_is_really_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        command = FootageCommand(kept.config, capsys)
        kept.record(40)
        start, end = _span(kept, 30, 10)
        made = footage_hold.place(
            kept.config, "gate", (start, end), "laporan polisi 7", wait=lambda _s: kept.record(0.5)
        )
        assert (made.state, made.status, made.missing) == ("held", 0, ())
        assert made.segments >= 2
        assert made.size_bytes == sum(
            one.size_bytes for one in kept.stored() if one.end_wall_ns > start and one.start_wall_ns < end
        )
        listed = command.json("hold")[1]["holds"]
        assert [one["hold"]["id"] for one in listed] == [made.hold.id]
        assert listed[0]["hold"]["note"].endswith(": laporan polisi 7")
        told = kept.records("recording.hold")[-1]
        assert (told["camera"], told["note"], told["state"]) == ("gate", listed[0]["hold"]["note"], "held")
        assert footage_hold.release(kept.config, made.hold.id, wait=lambda _s: kept.record(0.5))
        assert command.json("hold")[1]["holds"] == []
        assert kept.records("recording.hold")[-1]["state"] == "released"


def test_a_hold_of_what_is_gone_says_so_and_one_of_a_dead_recorder_is_only_asked(tmp_path: Path) -> None:
    with kept_footage(tmp_path) as kept:
        kept.record(20)
        start, end = _span(kept, 5000, 60)
        made = footage_hold.place(kept.config, "gate", (start, end), "x", wait=lambda _s: kept.record(0.5))
        assert (made.state, made.status) == ("lost", 4)
        made = footage_hold.place(kept.config, "gate", _span(kept, 10, 5), "x", wait=lambda _s: None)
        assert (made.state, made.status) == ("asked", 5)


def test_a_hold_without_a_reason_or_of_the_hub_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kept_footage(tmp_path) as kept:
        command = FootageCommand(kept.config, capsys)
        kept.record(10)
        kept.wish(1, ("h1", "gate", *_span(kept, 5, 3)))
        kept.record(2)
        start, end = _span(kept, 10, 5)
        assert "say why" in command.run("hold", "gate", iso(start), iso(end))[2]
        assert "placed by the hub" in command.run("hold", "--release", "h1")[2]


def test_the_reason_of_a_hold_outlives_a_restart_and_an_index_of_an_earlier_release_opens(
    tmp_path: Path,
) -> None:
    clock = FakeClock()
    with kept_footage(tmp_path, clock=clock) as kept:
        kept.record(20)
        made = footage_hold.place(
            kept.config, "gate", _span(kept, 15, 5), "banjir", wait=lambda _s: kept.record(0.5)
        )
        kept.keeper.index._connection.execute("ALTER TABLE hold DROP COLUMN note")
        kept.keeper.index._connection.execute("DROP TABLE gap")
        assert footage_hold.standings(kept.config)[0].hold.note == ""
        with pytest.raises(AlreadyOpen):
            Index(tmp_path / "data" / "footage.db", tmp_path / "footage")
    with kept_footage(tmp_path, clock=clock) as kept:
        assert [hold.id for hold in kept.keeper.index.holds()] == [made.hold.id]
        again = footage_hold.place(
            kept.config, "gate", _span(kept, 15, 5), "banjir", wait=lambda _s: kept.record(0.5)
        )
        note = again.hold.note
    with kept_footage(tmp_path, clock=clock) as kept:
        assert note in {hold.note for hold in kept.keeper.index.holds()}
