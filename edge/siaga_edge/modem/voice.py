"""Answers a caller with the city's prompt and records what he says, while the audio is proved; else never.

Off unless the config says `answer = true`. A recording is no conversation: the caller is texted and waits to
be rung back like any other. Sound goes through a thread of its own (modem/pcm), which touches no modem.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from siaga_core.service.clock import Clock
from siaga_core.wire.health import Level
from siaga_core.wire.report import CallPrompt, CallRecording
from siaga_edge.inbox import wake
from siaga_edge.modem import proof, recordings, tone, trial
from siaga_edge.modem.appointment import Place
from siaga_edge.modem.calls import Calls
from siaga_edge.modem.pcm import PcmMissing, Stream
from siaga_edge.modem.port import NoAnswer, Port, PortGone, Refused
from siaga_edge.modem.profile import Audio, Profile
from siaga_edge.modem.proof import Proof, Tried
from siaga_edge.modem.recordings import BadPrompt, Recording, Recordings
from siaga_edge.modem.trial import NoSound, Trial
from siaga_edge.modem.vitals import Verdict
from siaga_edge.node import Modem, NodeConfig

log = logging.getLogger(__name__)

# From the open audio to its tenth frame; a stream that stops for so long has ended.
FLOW_S, FLOW_FRAMES = 2.0, 10
LOOK_EVERY_S = 60.0
UNTRIED = "not tried since the port was opened"
# After this a modem that nobody has tried is one whose other modem does not come.
TRIAL_BY_S = 120.0
CALL_TICK_S, IDLE_S = 0.25, 60.0


@dataclass(slots=True)
class _Talk:
    """One call being talked to. `play` and `hear` belong to the stream's thread, the rest to the owner."""

    report_id: str
    stream: Stream
    prompt: list[bytes]
    most_frames: int
    recording: Recording | None
    played: int = 0
    heard: int = 0
    is_mute: bool = False
    is_done: bool = False
    why: str = ""
    hang_ups: int = 0

    def play(self) -> bytes:
        """The next frame for the caller: the prompt, then silence."""
        place, self.played = self.played, self.played + 1
        return self.prompt[place] if place < len(self.prompt) else tone.SILENCE

    def hear(self, frame: bytes) -> None:
        """A frame of the caller's: kept from the first on, until the time after the prompt is over."""
        self.heard += 1
        if self.played > len(self.prompt) + self.most_frames:
            self.is_done = True
        elif self.recording is not None and self.heard <= len(self.prompt) + 2 * self.most_frames:
            self.recording.take(frame)


@dataclass(frozen=True, slots=True)
class Sound:
    """What is known of a call's sound: seconds since it was opened, since a frame came and one was taken."""

    open_s: float
    silent_s: float
    stuck_s: float
    frames: int
    fault: str = ""


def trouble(sound: Sound) -> str:
    """Why a line carries no sound, empty while it does or still may. Pure."""
    if sound.fault:
        return sound.fault
    if sound.open_s >= FLOW_S and sound.frames < FLOW_FRAMES:
        return "no sound came"
    if sound.frames and sound.silent_s >= FLOW_S:
        return "the sound stopped"
    return "the modem takes no sound" if sound.stuck_s >= FLOW_S else ""


class Voice:
    """One modem's. Used in the thread that owns the port."""

    def __init__(
        self,
        config: NodeConfig,
        settings: Modem,
        service: str,
        clock: Clock,
        tell: Callable[[Verdict], None],
    ) -> None:
        """`service`: modem or modemb; `tell` hears whether callers would be answered, and why not."""
        self._settings, self._clock, self._tell = settings, clock, tell
        self._recordings = Recordings(config.recordings_dir(service))
        other = "modemb" if service == "modem" else "modem"
        peer = config.modemb if service == "modem" else config.modem
        self._wake: Callable[[], object] = partial(wake, config.socket_file(other))
        self._trial: Trial | None = None
        if peer is not None and settings.audio_port and peer.audio_port and settings.number and peer.number:
            place = Place(config.node.run_dir, service, other)
            dials = service == "modem"
            self._trial = Trial(place, settings.audio_port, peer.number, clock, dials=dials)
        self._proof = Proof()
        self._audio: Audio | None = None
        self._reject: list[str] = []
        self._port: Port | None = None
        self._talk: _Talk | None = None
        self._closes = False
        self._looked_mono_s, self._held = float("-inf"), False
        self._begun_mono_s = float("-inf")

    # -- what the service says -----------------------------------------------------------------------

    def begin(self, port: Port, profile: Profile) -> None:
        """The modem was set up: whatever was proved before is not any more. Raises the port's errors."""
        self.drop()
        self._port, self._audio, self._reject = port, profile.audio, profile.reject
        self._begun_mono_s = self._clock.mono_s()
        self.void(UNTRIED)
        if self._settings.audio_port and self._audio is not None:
            for command in self._audio.prepare:
                trial.hang_up(port, command)
        if self._trial is not None:
            self._trial.begin()
        if self._settings.answer:
            self.prune()

    def prune(self) -> None:
        """Remove recordings that are too old or too many, also of a time when callers were answered."""
        self._recordings.prune(self._clock.wall_ns() / 1e9)

    def void(self, why: str, pause_s: float = 0.0) -> None:
        """Nothing is picked up until it is proved again, which is tried no sooner than it would have been."""
        next_mono_s = max(self._proof.next_mono_s, self._clock.mono_s() + pause_s)
        self._doubt(proof.void(why, next_mono_s))

    def drop(self) -> None:
        """The port is given up, and nobody is left on a line that is mute. What was recorded is kept."""
        if self._port is not None and (self._talk is not None or (self._trial and self._trial.talks)):
            with contextlib.suppress(PortGone):
                for command in self._reject:
                    self._port.shout(command)
        if self._talk is not None:
            self._talk.stream.close()
            self._talk.is_done = True
        if self._trial is not None:
            self._trial.drop()
        self._port, self._closes = None, False

    @property
    def busy(self) -> bool:
        """Whether the modem must not be kept waiting: a trial, or a call whose sound has just been opened."""
        on_trial = self._trial is not None and self._trial.talks
        return on_trial or (self._talk is not None and self._sound(self._talk).frames < FLOW_FRAMES)

    def due_s(self) -> float:
        """How long until `tend` is wanted again."""
        if self._talk is not None or (self._trial is not None and self._trial.busy):
            return CALL_TICK_S
        left_s = self._proof.next_mono_s - self._clock.mono_s()
        return max(CALL_TICK_S, left_s) if self._proof.good else IDLE_S

    def tend(self, port: Port, calls: Calls, profile: Profile) -> None:
        """Look after the line and the proof. Raises what a silent port raises."""
        if not self._settings.audio_port:
            return
        self._attend(port, profile)
        now_s = self._clock.mono_s()
        if self._trial is not None:
            self._try(self._trial, port, calls, profile)
        self._look(now_s)

    def _try(self, trial: Trial, port: Port, calls: Calls, profile: Profile) -> None:
        is_free = not calls.busy and self._talk is None
        wants = self._settings.answer and proof.is_due(self._proof, self._clock.mono_s())
        try:
            tried = trial.tend(port, calls, profile, self._wake, is_free=is_free, wants=wants)
        except (NoAnswer, PortGone):
            # A modem that falls silent over a trial call is not given the next one as soon as it is back.
            self.tried(Tried(reached=False, heard=False, why="the modem fell silent in the trial call"))
            raise
        if tried is not None:
            self.tried(tried)

    def tried(self, tried: Tried) -> None:
        """A trial call is over."""
        self._doubt(proof.tried(self._proof, tried, self._clock.mono_s()))

    # -- what the calls say (calls.Answering) ----------------------------------------------------------

    def may_answer(self) -> bool:
        """Whether a caller would be heard now: proved, with a prompt, with room for what he says."""
        self._mark()
        free = self._talk is None and not (self._trial is not None and self._trial.busy)
        return free and not self._why_not()

    def pick_up(self, _port: object, report_id: str) -> bool:
        """Answer the call that rings. Its `prompt` is committed already. False if it still rings."""
        port, audio = self._port, self._audio
        assert port is not None, "a call rings on an open port"
        assert audio is not None, "only what has audio is proved"
        assert self._settings.prompt_file is not None, "the config was checked"
        try:
            prompt = recordings.prompt_frames(self._settings.prompt_file)
            stream = Stream(self._settings.audio_port, audio.frame_octets)
        except (BadPrompt, PcmMissing) as error:
            self.void(str(error))
            return False
        talk = _Talk(report_id, stream, prompt, int(self._settings.record_most_s / tone.FRAME_S), None)
        try:
            port.command("ATA")
        except Refused as error:
            stream.close()
            log.info("call not picked up report=%s cause=%s", report_id, error)
            return False
        except (NoAnswer, PortGone):
            stream.close()
            raise
        self._talk = talk
        self._open(port, audio, talk)
        return True

    def talks(self, report_id: str) -> bool:
        """Whether this call is being talked to; one that is to be hung up is looked after too."""
        return self._talk is not None and self._talk.report_id == report_id and self._port is not None

    def finish(self, report_id: str) -> tuple[CallPrompt, CallRecording | None]:
        """The call is over: its recording is on disk when this returns. Sends nothing to the modem."""
        talk = self._talk
        if talk is None or talk.report_id != report_id:
            return self._recovered(report_id)
        self._talk, self._closes = None, True
        has_ended = talk.stream.close()
        if not talk.stream.frames and not talk.is_mute:
            # The caller may just have been quicker than we; nothing is known of the sound.
            self.void("a call ended before its sound came", proof.AGAIN_UNREACHED_S)
        recording = self._finished(talk) if has_ended else None
        if recording is not None and recording.is_silent:
            self.void("a call's recording was silent", proof.AGAIN_UNREACHED_S)
        log.info("call ended report=%s mute=%s recording=%s", report_id, talk.is_mute, recording is not None)
        return ("mute" if talk.is_mute or not talk.heard else "played"), recording

    # -- below ----------------------------------------------------------------------------------------

    def _open(self, port: Port, audio: Audio, talk: _Talk) -> None:
        """Sound on the connected line; if it does not come the next look hangs up."""
        try:
            trial.open_audio(port, audio)
            talk.recording = self._recordings.begin(talk.report_id, self._clock.wall_ns() / 1e9)
        except (NoSound, OSError) as error:
            self._is_mute(talk, str(error))
            return
        talk.stream.start(talk.play, talk.hear)

    def _attend(self, port: Port, profile: Profile) -> None:
        """Hang up a line without sound at once, and one whose time is over."""
        if self._closes and self._audio is not None:
            self._closes = False
            trial.close_audio(port, self._audio)
        talk = self._talk
        if talk is None:
            return
        why = trouble(self._sound(talk))
        if why and not talk.is_mute and not talk.is_done:
            self._is_mute(talk, why)
        if talk.is_mute or talk.is_done:
            trial.hang_up(port, profile.reject[talk.hang_ups % len(profile.reject)])
            talk.hang_ups += 1

    def _is_mute(self, talk: _Talk, why: str) -> None:
        if self._sound(talk).frames < FLOW_FRAMES:
            talk.is_mute = True
        talk.is_done = True
        log.warning("call without sound report=%s cause=%s", talk.report_id, why)
        self._doubt(proof.void(f"a caller was not heard: {why}", self._clock.mono_s() + proof.AGAIN_MUTE_S))

    def _sound(self, talk: _Talk) -> Sound:
        stream, now_s = talk.stream, time.monotonic()
        return Sound(
            now_s - stream.began_mono_s,
            now_s - stream.heard_mono_s,
            now_s - stream.took_mono_s,
            stream.frames,
            stream.fault,
        )

    def _finished(self, talk: _Talk) -> CallRecording | None:
        if talk.recording is None:
            return None
        try:
            return talk.recording.finish()
        except OSError:
            log.exception("recording not kept report=%s", talk.report_id)
            return None

    def _recovered(self, report_id: str) -> tuple[CallPrompt, CallRecording | None]:
        """Of a call in whose midst the service died."""
        try:
            recording = self._recordings.recover(report_id)
        except OSError:
            log.exception("recording not recovered report=%s", report_id)
            return "mute", None
        return ("mute" if recording is None else "played"), recording

    def _doubt(self, found: Proof) -> None:
        self._proof = found
        self._mark()
        self._looked_mono_s = float("-inf")

    def _mark(self) -> None:
        """The one place that lets the port pick up."""
        if self._port is not None:
            self._port.audio_is_proved = proof.holds(self._proof, self._clock.mono_s())

    def _look(self, now_s: float) -> None:
        """Say whether callers are answered, when that is asked for."""
        self._mark()
        holds = proof.holds(self._proof, now_s)
        if not self._settings.answer or (now_s - self._looked_mono_s < LOOK_EVERY_S and holds == self._held):
            return
        self._looked_mono_s, self._held = now_s, holds
        why = self._why_not()
        level: Level = "warn" if why else "ok"
        tries = self._proof.good > 0 or self._proof.why == UNTRIED
        if why and tries and self._trial is not None and now_s - self._begun_mono_s < TRIAL_BY_S:
            level = "unknown"
        self._tell(Verdict("modem.voice", level, why or "audio proved, callers are answered"))

    def _why_not(self) -> str:
        """Why a caller is not answered; empty if he is."""
        if not self._settings.answer or self._settings.prompt_file is None:
            return "not asked for"
        if self._audio is None:
            return "this family of modem has no audio path"
        if self._trial is None:
            return "no second modem with audio and number, so the audio cannot be proved"
        if not proof.holds(self._proof, self._clock.mono_s()):
            return f"audio not proved: {self._proof.why or 'the proof is a day old'}"
        try:
            recordings.prompt_frames(self._settings.prompt_file)
        except BadPrompt as error:
            return str(error)
        return "" if self._recordings.has_room() else "the card is nearly full"
