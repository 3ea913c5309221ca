"""A call's sound on its device: each family's own words for it, and a thread that leaves nothing behind."""

import os
import pty
import threading
from contextlib import closing
from pathlib import Path

import pytest

from siaga_edge.modem import profile, tone, trial
from siaga_edge.modem.pcm import PcmMissing, Stream
from siaga_edge.modem.port import Port
from siaga_edge.modem.trial import NoSound
from support.simulated_modem import modem_in_thread
from support.waiting import until

PROFILES = profile.load_all()


def test_who_has_sound_is_said_by_the_profiles_and_by_nobody_else() -> None:
    assert {name for name, one in PROFILES.items() if one.audio} == {"sim7600", "ec25", "e173"}


@pytest.mark.parametrize("family", ["sim7600", "ec25", "e173"])
def test_every_family_with_sound_gives_it_in_a_call_and_not_before(tmp_path: Path, family: str) -> None:
    audio = PROFILES[family].audio
    assert audio is not None
    heard: list[bytes] = []
    with (
        modem_in_thread(tmp_path, family, audio=True) as (link, control),
        closing(Port(str(link), 115200, 2, profile.every_event(PROFILES))) as port,
    ):
        with pytest.raises(NoSound):
            trial.open_audio(port, audio)
        control.call("+628111", rings=9)
        until(lambda: port.events() or True)
        port.answer_trial()
        stream = Stream(f"{tmp_path}/modem-audio", audio.frame_octets)
        trial.open_audio(port, audio)
        stream.start(lambda: tone.SILENCE, heard.append)
        until(lambda: len(heard) > 5, 3)
        assert stream.close()
        trial.close_audio(port, audio)


@pytest.mark.parametrize("family", ["sim7600", "ec25"])
def test_a_mode_that_is_not_read_back_is_no_sound(tmp_path: Path, family: str) -> None:
    audio = PROFILES[family].audio
    assert audio is not None
    with (
        modem_in_thread(tmp_path, family, audio=True) as (link, control),
        closing(Port(str(link), 115200, 2, profile.every_event(PROFILES))) as port,
    ):
        control.fault(pcm="refused")
        control.call("+628111", rings=9)
        port.answer_trial()
        with pytest.raises(NoSound, match="gives no sound"):
            trial.open_audio(port, audio)


def test_a_device_that_is_away_or_no_terminal_is_said_before_anybody_is_answered(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for name in ("nothing", "file"):
        with pytest.raises(PcmMissing):
            Stream(str(tmp_path / name), 320)


def test_a_thread_that_does_not_end_is_told_and_one_that_fails_says_why() -> None:
    far, near = pty.openpty()
    held = threading.Event()
    stream = Stream(os.ttyname(near), 320)

    def hold(_frame: bytes) -> None:
        held.wait()

    stream.start(lambda: tone.SILENCE, hold)
    os.write(far, bytes(320))
    until(lambda: stream.frames == 1, 3)
    assert not stream.close(), "what it writes to must stay open"
    held.set()
    until(stream.close, 3)
    failing = Stream(os.ttyname(near), 320)

    def full(_frame: bytes) -> None:
        raise OSError(28, "No space left on device")

    failing.start(lambda: tone.SILENCE, full)
    os.write(far, bytes(320))
    until(lambda: "No space left" in failing.fault, 3)
    assert failing.close()
    os.close(far)
    os.close(near)
