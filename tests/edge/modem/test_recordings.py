"""A recording is whole after a power cut, bounded in number, and read by nobody outside the group."""

import hashlib
import os
import struct
import wave
from pathlib import Path

import pytest

from siaga_edge.modem import recordings, tone
from siaga_edge.modem.recordings import BadPrompt, Recordings, listed, prompt_frames
from support.two_modems import write_prompt

FRAME = struct.pack("<160h", *range(160))


def spoken(path: Path) -> bytes:
    with wave.open(str(path)) as opened:
        assert (opened.getnchannels(), opened.getsampwidth(), opened.getframerate()) == (1, 2, 8000)
        octets: bytes = opened.readframes(opened.getnframes())
        return octets


def test_a_finished_one_is_a_wav_with_the_hash_that_is_told(tmp_path: Path) -> None:
    made = Recordings(tmp_path / "r").begin("one", 0)
    for _ in range(120):
        made.take(FRAME)
    told = made.finish()
    assert told is not None
    path = tmp_path / "r" / told.file
    assert spoken(path) == FRAME * 120
    assert told.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (told.duration_s, told.is_silent) == (2.4, False)
    assert path.stat().st_mode & 0o007 == 0, "nobody outside the group"
    assert (tmp_path / "r").stat().st_mode & 0o007 == 0


def test_silence_is_told_and_nothing_at_all_is_no_recording(tmp_path: Path) -> None:
    folder = Recordings(tmp_path)
    silent, empty = folder.begin("silent", 0), folder.begin("empty", 0)
    silent.take(tone.SILENCE)
    told = silent.finish()
    assert told is not None
    assert told.is_silent
    assert empty.finish() is None
    assert [one.path.name for one in listed(tmp_path)] == ["silent.wav"]


@pytest.mark.parametrize("torn", [0, 1, 319])
def test_what_was_being_recorded_when_the_power_went_is_made_whole(tmp_path: Path, torn: int) -> None:
    folder = Recordings(tmp_path)
    made = folder.begin("one", 0)
    for _ in range(50):
        made.take(FRAME)
    with (tmp_path / "one.part").open("ab") as part:
        part.write(FRAME[:torn])
    told = folder.recover("one")
    assert told is not None
    assert spoken(tmp_path / "one.wav") == FRAME * 50 + FRAME[: torn & ~1]
    assert folder.recover("one") == told, "whole already: told again as it is"
    assert folder.recover("other") is None


def test_the_oldest_give_way_to_room_and_to_time(tmp_path: Path) -> None:
    for place, name in enumerate(("a", "b", "c", "d")):
        (tmp_path / f"{name}.wav").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{name}.wav", (1000.0 + place, 1000.0 + place))
    assert Recordings(tmp_path, most_octets=3000).prune(2000.0) == 1
    assert [one.path.stem for one in listed(tmp_path)] == ["b", "c", "d"]
    assert Recordings(tmp_path).prune(1002.5 + recordings.KEEP_S) == 2
    assert [one.path.stem for one in listed(tmp_path)] == ["d"]


def test_room_is_made_before_the_next_one_begins(tmp_path: Path) -> None:
    for place, name in enumerate(("a", "b", "c", "d")):
        (tmp_path / f"{name}.wav").write_bytes(bytes(1000))
        os.utime(tmp_path / f"{name}.wav", (1000.0 + place, 1000.0 + place))
    Recordings(tmp_path, most_octets=3000).begin("e", 2000.0).finish()
    assert [one.path.stem for one in listed(tmp_path)] == ["b", "c", "d"]


def test_one_that_cannot_be_removed_keeps_nobody_from_being_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.wav").mkdir()
    os.utime(tmp_path / "a.wav", (1000.0, 1000.0))
    Recordings(tmp_path).begin("b", 2000.0 + recordings.KEEP_S).finish()
    assert "recordings not removed" in caplog.text


def test_the_prompt_is_played_as_it_is_with_a_beep_after_it(tmp_path: Path) -> None:
    pcm = FRAME * 3 + FRAME[:100]
    frames = prompt_frames(write_prompt(tmp_path / "p.wav", pcm))
    assert b"".join(frames[:4]) == pcm + bytes(220)
    assert len(frames) == 4 + tone.BEEP_FRAMES
    assert tone.has_tone(frames[-2], tone.BEEP_HZ)


def test_a_prompt_that_cannot_be_played_is_refused_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("bukan suara")
    for path, why in (
        (tmp_path / "none.wav", "cannot be read"),
        (tmp_path / "text.wav", "cannot be read"),
        (write_prompt(tmp_path / "fast.wav", FRAME, rate_hz=16000), "8 kHz"),
        (write_prompt(tmp_path / "empty.wav", b""), "8 kHz"),
        (write_prompt(tmp_path / "long.wav", bytes(2 * 8000 * 31)), "longer than 30 s"),
    ):
        with pytest.raises(BadPrompt, match=why):
            prompt_frames(path)
