"""Two services of one node as processes: audio proved, a caller answered, texts and kills meanwhile."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from siaga_core.wire.report import Call
from support.modem_service import SENDER
from support.two_modems import TwoModems, noise, two_modems, write_prompt
from support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Iterator[TwoModems]:
    prompt = write_prompt(tmp_path / "prompt.wav", noise(1.0, 1))
    with two_modems(tmp_path, prompt, record_most_s=8) as made:
        until(lambda: "proved," in made.voice()[1], 60, because="the audio is proved")
        yield made


def calls(site: TwoModems) -> list[Call]:
    return [report.call for report in site.service.reports() if report.call]


def test_texts_are_taken_while_a_caller_is_recorded_and_he_is_listed(site: TwoModems) -> None:
    site.control.call(SENDER, rings=30, every_s=0.5)
    until(lambda: [call.state for call in calls(site)] == ["answered"], 15)
    site.control.sms("+628129999999", "pohon tumbang di Sekupang")
    until(lambda: "pohon tumbang di Sekupang" in site.service.texts(), 3)
    assert [call.state for call in calls(site)] == ["answered"], "taken while he speaks"
    site.service.order("m1", "petugas jaga, ada laporan")
    until(lambda: [one for one in site.control.sent() if "petugas jaga" in one["text"]], 3)
    assert [call.state for call in calls(site)] == ["answered"], "sent while he speaks"
    until(lambda: [call.state for call in calls(site)] == ["ended"], 20)
    assert site.control.state()["finished_calls"][-1]["ended_by"] == "node", "its time was over"
    [call] = calls(site)
    assert call.recording is not None
    assert 8 <= call.recording.duration_s <= 11
    command = [sys.executable, "-m", "siaga_edge.cli", "modem", "recordings", "--json", "--config"]
    [row] = json.loads(subprocess.check_output([*command, str(site.service.config)]))
    assert row["sha256"] == call.recording.sha256
    assert Path(row["file"]).name == call.recording.file


def test_a_kill_in_the_midst_hangs_up_keeps_what_was_said_and_the_proof_is_gone(
    site: TwoModems, tmp_path: Path
) -> None:
    (tmp_path / "says").write_bytes(noise(20, 2))
    site.control.call(SENDER, rings=30, every_s=0.5, says=str(tmp_path / "says"))
    until(lambda: [call.state for call in calls(site)] == ["answered"], 15)
    parts = tmp_path / "data/recordings-modem"
    until(lambda: [one for one in parts.glob("*.part") if one.stat().st_size > 40_000], 15)
    site.service.kill()
    assert site.control.state()["calls"], "the line is open and nobody is on it"
    site.service.start()
    until(lambda: not site.control.state()["calls"], 15)
    until(lambda: [call.state for call in calls(site)] == ["ended"], 10)
    [call] = calls(site)
    assert (call.prompt, call.recording is not None) == ("played", True)
    until(lambda: site.voice()[0] != "ok", 10, because="it is proved again before the next is answered")


def test_a_modem_that_restarts_answers_nobody_until_it_is_proved_again(site: TwoModems) -> None:
    site.control.reset()
    until(lambda: "proved," not in site.voice()[1], 15)
    until(lambda: "proved," in site.voice()[1], 60)
    site.control_b.fault(pcm="never")
    site.control.unplug(0.5)
    until(lambda: "proved," not in site.voice()[1], 20)
    until(lambda: site.control.call(SENDER, rings=30, every_s=0.5)["call"] is not None, 20)
    until(lambda: [call.state for call in calls(site)] == ["missed"], 30)
    [his] = [one for one in site.control.state()["finished_calls"] if one["from"] == SENDER]
    assert not his["answered"]
