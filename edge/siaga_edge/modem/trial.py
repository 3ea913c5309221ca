"""The trial call between this node's two modems: each plays its tone and must hear the other's."""

import logging
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

from siaga_core.service.clock import Clock
from siaga_edge.modem import tone
from siaga_edge.modem.appointment import STAND_EVERY_S, Appointment, Place, Stand
from siaga_edge.modem.calls import listed
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.pcm import PcmMissing, Stream
from siaga_edge.modem.port import Port, Refused
from siaga_edge.modem.profile import Audio, Profile
from siaga_edge.modem.proof import Tried
from siaga_edge.modem.tone import Ear

log = logging.getLogger(__name__)

# The other service looks every few seconds; then the network sets the call up, up to 20 s on some.
READY_S, CONNECT_S = 12.0, 30.0
# To hear a second of bursts; speech paths open late.
LISTEN_S = 6.0
# For the other side's word, and then for the dialler to hang up.
WORD_S, END_S = 4.0, 6.0
_DIALLED = re.compile(r"\+CLCC: ?\d+, ?0, ?(\d), ?0")

Phase = Literal["idle", "asked", "dialled", "expects", "listens", "told", "ends"]


class Line(Protocol):
    """What is needed of the calls of this modem."""

    @property
    def busy(self) -> bool:
        """Whether a citizen's call is not over."""

    @property
    def trial_rings(self) -> bool:
        """Whether the expected call rings."""

    def expect(self, number: str, until_mono_s: float) -> None:
        """This number's call is no citizen's until then."""

    def expect_nobody(self) -> None:
        """The trial is over."""


class NoSound(Exception):
    """The modem does not give a call's sound; the message says what it answered."""


@dataclass(slots=True)
class _Course:
    """One trial call under way."""

    id: str
    line: Line
    dials: bool
    phase: Phase
    due_mono_s: float
    stream: Stream | None = None
    ear: Ear | None = None
    is_open: bool = False
    result: Tried | None = None
    hang_ups: int = 0


class Trial:
    """One modem's side. Used in the thread that owns the port; every call of `tend` does one short thing."""

    def __init__(self, place: Place, device: str, number: str, clock: Clock, *, dials: bool) -> None:
        """`device` carries this modem's sound, `number` is the other's. `dials`: this one arranges."""
        self._place, self._device, self._number, self._clock = place, device, number, clock
        self._dials, self._session = dials, ""
        self._course: _Course | None = None
        self._stood_mono_s, self._last_id = float("-inf"), ""

    @property
    def busy(self) -> bool:
        """Whether a trial call is arranged or under way."""
        return self._course is not None

    @property
    def talks(self) -> bool:
        """Whether a trial call is connected, and its modem must not be kept waiting for long."""
        return self._course is not None and self._course.phase in ("listens", "told", "ends")

    def begin(self) -> None:
        """The port was opened: what was arranged with the one before is off."""
        self.drop()
        self._session = secrets.token_hex(4)

    def drop(self) -> None:
        """The port is gone, and the call's sound with it; whoever rings from now on is a citizen."""
        course = self._course
        self._course, self._session, self._stood_mono_s = None, "", float("-inf")
        if course is not None:
            if course.stream is not None:
                course.stream.close()
            course.line.expect_nobody()

    def tend(
        self,
        port: Port,
        line: Line,
        profile: Profile,
        wake: Callable[[], object],
        *,
        is_free: bool,
        wants: bool,
    ) -> Tried | None:
        """Go on; how a trial call went when one is over. Raises what a silent port raises."""
        now_s = self._clock.mono_s()
        if self._course is None:
            if profile.audio is not None and self._session:
                self._stand(now_s, is_free=is_free, wants=wants)
                self._arrange(line, now_s, wake, is_free=is_free, wants=wants)
            return None
        assert profile.audio is not None, "a trial begins only with audio"
        self._go_on(self._course, port, line, profile, now_s)
        if self._course.phase != "idle":
            return None
        result, self._course = self._course.result, None
        line.expect_nobody()
        self._stood_mono_s = float("-inf")
        log.info("trial call over result=%s", result)
        return result

    def _stand(self, now_s: float, *, is_free: bool, wants: bool) -> None:
        if now_s - self._stood_mono_s >= STAND_EVERY_S:
            self._stood_mono_s = now_s
            self._place.stand(
                Stand(session=self._session, at_mono_s=now_s, is_free=is_free, wants=wants and is_free)
            )

    def _arrange(
        self, line: Line, now_s: float, wake: Callable[[], object], *, is_free: bool, wants: bool
    ) -> None:
        if not is_free:
            return
        if not self._dials:
            found = self._place.arranged(self._session, now_s)
            if found is not None and found.id != self._last_id:
                self._last_id = found.id
                line.expect(self._number, now_s + CONNECT_S)
                self._course = _Course(found.id, line, False, "expects", now_s + CONNECT_S)
                self._place.say(found.id, "ready")
            return
        peer = self._place.peer(now_s)
        if peer is None or not peer.is_free or not (wants or peer.wants):
            return
        made = Appointment(
            id=secrets.token_hex(4),
            dialler=self._session,
            dialled=peer.session,
            until_mono_s=now_s + READY_S,
        )
        self._place.arrange(made)
        wake()
        self._course = _Course(made.id, line, True, "asked", now_s + READY_S)

    def _go_on(self, course: _Course, port: Port, line: Line, profile: Profile, now_s: float) -> None:
        match course.phase:
            case "asked":
                self._when_ready(course, port, line, now_s)
            case "dialled":
                self._when_connected(course, port, profile, now_s)
            case "expects":
                self._when_it_rings(course, port, line, profile, now_s)
            case "listens":
                self._when_heard(course, now_s)
            case "told":
                self._when_both_have_spoken(course, now_s)
            case "ends":
                self._hang_up(course, port, line, profile, now_s)
            case "idle":
                pass

    def _when_ready(self, course: _Course, port: Port, line: Line, now_s: float) -> None:
        if line.busy or now_s >= course.due_mono_s:
            self._give_up(course, "the other modem was not ready for the trial call")
        elif self._place.says(course.id, "ready"):
            try:
                port.command(f"ATD{self._number};")
            except Refused as error:
                self._give_up(course, f"the trial call was refused: {error.code}")
                return
            course.phase, course.due_mono_s = "dialled", now_s + CONNECT_S

    def _when_connected(self, course: _Course, port: Port, profile: Profile, now_s: float) -> None:
        state = _dialled(port)
        if state == "0":
            self._talk(course, port, profile, now_s)
        elif now_s >= course.due_mono_s or (state is None and course.due_mono_s - now_s < CONNECT_S - 3):
            self._fail(course, now_s, "the trial call was not connected", reached=False)

    def _when_it_rings(self, course: _Course, port: Port, line: Line, profile: Profile, now_s: float) -> None:
        if line.busy or now_s >= course.due_mono_s:
            self._give_up(course, "the trial call did not come")
        elif line.trial_rings and self._alone(port):
            try:
                port.answer_trial()
            except Refused as error:
                self._give_up(course, f"the trial call could not be picked up: {error.code}")
                return
            self._talk(course, port, profile, now_s)

    def _alone(self, port: Port) -> bool:
        """Whether the other modem's call rings and there is no other: asked just before it is answered."""
        calls = listed(port.command("AT+CLCC"))
        return [(to_e164(one.number), one.state) for one in calls] == [(self._number, "incoming")]

    def _talk(self, course: _Course, port: Port, profile: Profile, now_s: float) -> None:
        assert profile.audio is not None, "a trial begins only with audio"
        mine, theirs = tone.DIALLER_HZ, tone.DIALLED_HZ
        if not course.dials:
            mine, theirs = theirs, mine
        number = count()
        course.ear = Ear(theirs)

        def hear(frame: bytes) -> None:
            assert course.ear is not None
            course.ear = tone.listen(course.ear, frame)

        try:
            course.stream = Stream(self._device, profile.audio.frame_octets)
            course.is_open = True
            open_audio(port, profile.audio)
        except (PcmMissing, NoSound) as error:
            self._place.say(course.id, "deaf")
            self._fail(course, now_s, str(error), reached=True)
            return
        course.stream.start(lambda: tone.burst_frame(mine, next(number)), hear)
        course.phase, course.due_mono_s = "listens", now_s + LISTEN_S

    def _when_heard(self, course: _Course, now_s: float) -> None:
        assert course.ear is not None
        if course.ear.has_heard:
            self._place.say(course.id, "heard")
            course.phase, course.due_mono_s = "told", now_s + LISTEN_S + WORD_S
        elif now_s >= course.due_mono_s:
            self._place.say(course.id, "deaf")
            why = "no sound came in the trial call" if not course.ear.frames else "no tone came through"
            self._fail(course, now_s, why, reached=True)

    def _when_both_have_spoken(self, course: _Course, now_s: float) -> None:
        if self._place.says(course.id, "heard"):
            course.result = Tried(reached=True, heard=True)
            course.phase, course.due_mono_s = "ends", now_s + (0 if course.dials else END_S)
        elif self._place.says(course.id, "deaf") or now_s >= course.due_mono_s:
            self._fail(course, now_s, "the other modem did not hear this one", reached=True)

    def _fail(self, course: _Course, now_s: float, why: str, *, reached: bool) -> None:
        course.result = Tried(reached=reached, heard=False, why=why)
        course.phase, course.due_mono_s = "ends", now_s

    def _give_up(self, course: _Course, why: str) -> None:
        """Before anything was connected."""
        course.result, course.phase = Tried(reached=False, heard=False, why=why), "idle"

    def _hang_up(self, course: _Course, port: Port, line: Line, profile: Profile, now_s: float) -> None:
        """Let the dialler end it; the dialled one does only when that does not come, and nobody waits."""
        if course.stream is not None and (course.dials or now_s >= course.due_mono_s or not _talks(port)):
            course.stream.close()
            course.stream = None
        if course.stream is not None:
            return
        if course.is_open and profile.audio is not None:
            course.is_open = False
            close_audio(port, profile.audio)
        gone = _dialled(port) is None if course.dials else not _talks(port)
        # A citizen waits beside it: to hang up might end his call too, so the dialler has its time to do it.
        if line.busy and not course.dials and not gone and now_s < course.due_mono_s + END_S:
            return
        if gone or course.hang_ups >= 2 * len(profile.reject):
            course.phase = "idle"
            return
        hang_up(port, profile.reject[course.hang_ups % len(profile.reject)])
        course.hang_ups += 1


def open_audio(port: Port, audio: Audio) -> None:
    """Have the connected call's sound on its device. Raises NoSound at the first answer that is not right.

    Nothing is tried twice: a modem that gives in at the second try is one whose sound stutters.
    """
    try:
        for command in audio.open:
            port.command(command)
        answer = port.command(audio.ask)
    except Refused as error:
        raise NoSound(f"the modem refused the call's sound: {error}") from error
    if not any(line.startswith(audio.expects) for line in answer):
        raise NoSound(f"the modem gives no sound: {' '.join(answer) or 'no word'}")


def close_audio(port: Port, audio: Audio) -> None:
    """Say that the call's sound is not wanted any more."""
    for command in audio.close:
        hang_up(port, command)


def hang_up(port: Port, command: str) -> None:
    """One command that may be refused; whether it helped shows in the list of calls."""
    try:
        port.command(command)
    except Refused as error:
        log.info("modem refused %s: %s", command, error.code)


def _dialled(port: Port) -> str | None:
    """The state of the call that this modem has dialled (27.007 §7.18), None without one."""
    found = (_DIALLED.match(line) for line in port.command("AT+CLCC"))
    return next((one[1] for one in found if one), None)


def _talks(port: Port) -> bool:
    return any(one.state == "active" for one in listed(port.command("AT+CLCC")))
