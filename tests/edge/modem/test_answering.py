"""A caller is picked up on proved audio alone, hears the prompt, is recorded, and is owed an answer still."""

import hashlib
import wave
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from siaga_edge.modem import tone, voice
from siaga_edge.modem.call import Leg
from siaga_edge.modem.calls import Calls
from siaga_edge.modem.port import Refused
from siaga_edge.modem.voice import Voice
from support.modem_service import SENDER
from support.two_modems import noise, write_prompt
from support.voice_rig import Rig, rig

PROMPT = noise(0.5, 1)


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    return write_prompt(tmp_path / "prompt.wav", PROMPT)


@pytest.fixture
def site(tmp_path: Path, prompt: Path) -> Iterator[Rig]:
    with rig(tmp_path, prompt) as made:
        yield made


def answered(made: Rig) -> int:
    return int(made.control.state()["counters"].get("calls_answered", 0))


def test_the_caller_hears_the_prompt_and_what_he_says_is_kept(site: Rig, tmp_path: Path) -> None:
    site.prove()
    said, says, hears = noise(0.8, 2), tmp_path / "says", tmp_path / "hears"
    says.write_bytes(bytes(6400) + said)  # what is said before the sound is open nobody can hear
    site.control.call(SENDER, rings=20, every_s=0.3, says=str(says), hears=str(hears))
    site.until(lambda: site.voice.talks(site.last().report_id) if site.reports() else False)
    assert site.states()[0] == ("ringing", None), "committed before anything is answered"
    site.until(lambda: site.state()[0] == "answered")
    site.until(lambda: (site.folder / f"{site.last().report_id}.part").stat().st_size > 9600 + len(said))
    site.control.hang_up()
    site.until(site.is_over)
    last = site.last()
    assert site.state() == ("ended", "played")
    assert last.call is not None
    assert last.call.recording is not None
    path = site.folder / last.call.recording.file
    assert hashlib.sha256(path.read_bytes()).hexdigest() == last.call.recording.sha256
    with wave.open(str(path)) as opened:
        assert said in opened.readframes(opened.getnframes())
    site.until(hears.exists)
    heard = hears.read_bytes()
    frames = [heard[place : place + 320] for place in range(0, len(heard), 320)]
    # A machine that stood still for a frame's time gives the network a frame of silence in between.
    assert PROMPT in b"".join(frame for frame in frames if any(frame))
    assert site.owed == [last.report_id], "a recording is no conversation"
    site.turn()
    assert site.port.audio_is_proved


def test_its_length_is_bounded_and_the_node_hangs_up(site: Rig) -> None:
    site.prove()
    talk = voice._Talk("r", None, [tone.SILENCE], 2, Kept())  # type: ignore[arg-type]
    for _ in range(9):
        talk.play()
        talk.hear(tone.SILENCE)
    assert talk.is_done
    assert len(talk.recording.frames) <= 4  # type: ignore[union-attr]


class Kept:
    """Frames in memory, in place of a file."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def take(self, frame: bytes) -> None:
        self.frames.append(frame)


@pytest.mark.parametrize("fault", ["never", "refused", pytest.param("second_dead", marks=pytest.mark.slow)])
def test_without_sound_the_line_is_dropped_at_once_and_the_proof_is_gone(site: Rig, fault: str) -> None:
    if fault == "second_dead":
        site.control.call(SENDER, rings=9)
        site.port.answer_trial()
        site.port.command("AT+CPCMREG=1")  # the first call since the reset
        site.port.command("AT+CHUP")
        site.until(lambda: not site.calls.busy)
        site.owed.clear()
    site.prove()
    site.control.fault(pcm=fault)
    site.control.call(SENDER, rings=90, every_s=0.3)
    site.until(lambda: site.state()[1] is not None)
    site.until(site.is_over)
    assert site.state() == ("ended", "mute")
    assert site.last().call.recording is None  # type: ignore[union-attr]
    assert site.owed == [site.last().report_id]
    assert site.control.state()["finished_calls"][-1]["ended_by"] == "node"
    assert not site.port.audio_is_proved
    assert "a caller was not heard" in site.verdicts[-1].detail
    before = answered(site)
    site.control.call("+628129999999", rings=9, every_s=0.3)
    site.until(lambda: site.state() == ("missed", None))
    assert answered(site) == before, "the next one is turned away as ever"


def test_an_unproved_modem_turns_away_as_ever(site: Rig) -> None:
    site.control.call(SENDER, rings=9, every_s=0.3)
    site.until(lambda: site.state() == ("missed", None))
    assert answered(site) == 0
    assert site.owed == [site.last().report_id]


@pytest.mark.parametrize("doubt", ["restart", "reopened", "prompt", "silent"])
def test_every_doubt_ends_the_answering(site: Rig, prompt: Path, doubt: str) -> None:
    site.prove()
    if doubt == "restart":
        site.voice.void("the modem restarted")
    elif doubt == "reopened":
        site.voice.begin(site.port, site.profile)
    elif doubt == "prompt":
        prompt.unlink()
    else:
        site.control.call(SENDER, rings=9, every_s=0.3)
        site.until(lambda: site.reports() and site.voice.talks(site.last().report_id))
        site.until(lambda: len(list(site.folder.glob("*.part"))) == 1)
        site.control.hang_up()
        site.until(site.is_over)
    assert not site.voice.may_answer()
    before = answered(site)
    site.control.call("+628129999999", rings=9, every_s=0.3)
    site.until(lambda: site.state() == ("missed", None))
    assert answered(site) == before


def test_a_call_that_was_being_answered_when_the_service_died_is_hung_up_and_kept(
    site: Rig, tmp_path: Path
) -> None:
    site.prove()
    (tmp_path / "says").write_bytes(noise(3, 3))
    site.control.call(SENDER, rings=9, every_s=0.3, says=str(tmp_path / "says"))
    site.until(lambda: site.state() == ("answered", "begun"))
    site.until(lambda: next(site.folder.glob("*.part")).stat().st_size > 16_000)
    site.die_and_start_again()
    site.until(site.is_over)
    assert site.state() == ("ended", "played")
    assert site.last().call.recording is not None  # type: ignore[union-attr]
    assert site.owed == [site.last().report_id]


def test_a_second_caller_is_noted_beside_and_never_picked_up(site: Rig) -> None:
    site.prove()
    site.control.call(SENDER, rings=9, every_s=0.3)
    site.until(lambda: site.state() == ("answered", "begun"))
    site.control.call("+628129999999", rings=9, every_s=0.3)
    site.until(lambda: any(one.reporter_e164 == "+628129999999" for one in site.reports()))
    site.until(lambda: ("missed", None) in site.states())
    site.control.hang_up()
    site.until(site.is_over)
    assert answered(site) == 1
    assert len(set(site.owed)) == 2


# -- mutants: each is wrong on purpose, and the same looks find it --------------------------------------


class AnswersUnproved(Voice):
    """Takes every audio path for proved."""

    def may_answer(self) -> bool:
        assert self._port is not None
        self._port.audio_is_proved = True
        return True


class Forgetful(Voice):
    """Keeps its proof over a reset."""

    def void(self, why: str, pause_s: float = 0.0) -> None:
        pass


class Satisfied(Calls):
    """Takes whoever was recorded for somebody who was heard."""

    def _came_to(self, leg: Leg) -> Leg:
        return replace(super()._came_to(leg), prompt=None)


class Patient(Voice):
    """Waits for ever for sound."""

    def _attend(self, *_: object) -> None:
        pass


def test_one_that_answers_without_proof_is_found(tmp_path: Path, prompt: Path) -> None:
    with rig(tmp_path, prompt, AnswersUnproved) as made:
        made.control.call(SENDER, rings=9, every_s=0.3)
        made.until(lambda: answered(made) == 1)


def test_a_proof_that_survives_a_reset_is_found(tmp_path: Path, prompt: Path) -> None:
    with rig(tmp_path, prompt, Forgetful) as made:
        made.prove()
        made.voice.begin(made.port, made.profile)
        assert made.voice.may_answer()


def test_one_that_owes_nothing_to_whom_it_has_recorded_is_found(site: Rig) -> None:
    site.calls_kind = Satisfied
    site.calls = site.fresh_calls()
    site.prove()
    site.control.call(SENDER, rings=9, every_s=0.3)
    site.until(lambda: site.state()[0] == "answered")
    site.control.hang_up()
    site.until(site.is_over)
    assert site.owed == []


@pytest.mark.slow
def test_one_that_keeps_a_mute_line_is_found(tmp_path: Path, prompt: Path) -> None:
    with rig(tmp_path, prompt, Patient) as made:
        made.prove()
        made.control.fault(pcm="never")
        made.control.call(SENDER, rings=9, every_s=0.3)
        made.until(lambda: answered(made) == 1)
        with pytest.raises(AssertionError, match="did not happen"):
            made.until(made.is_over, voice.FLOW_S + 0.4)


def test_the_port_itself_refuses_what_is_not_proved(site: Rig) -> None:
    site.control.call(SENDER, rings=9)
    with pytest.raises(Refused, match="without proved audio"):
        site.port.command("ATA")
    site.prove()
    assert site.port.command("ATA") == []


def test_only_one_line_of_the_source_lets_the_port_pick_up() -> None:
    source = Path(voice.__file__).parent
    setting = [
        path.name
        for path in source.glob("*.py")
        for line in path.read_text().splitlines()
        if "audio_is_proved =" in line
    ]
    assert sorted(setting) == ["port.py", "voice.py"]
