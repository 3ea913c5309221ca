"""A simulated modem in the test's own thread and time: the other side of the wire without a wire."""

from collections.abc import Callable

from siaga_edge.modem import at
from siaga_edge.modem.port import NoAnswer, Refused
from siaga_edge.simulate.modem.dialogue import Dialogue
from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.machine import Now
from siaga_edge.simulate.modem.profile import PROFILES
from support.clock import FakeClock


class Wire:
    """What `Port` gives its owner. Time passes while the modem works; events go to `listener` at once."""

    def __init__(self, clock: FakeClock, profile: str = "sim7600", faults: Faults | None = None) -> None:
        self.clock = clock
        self.modem = Dialogue(PROFILES[profile], self.now, faults=faults)
        self.listener: Callable[[at.Event], bool] = lambda _event: False
        self.heard: list[tuple[float, str]] = []
        self.commands: list[str] = []
        self._text = ""
        clock.advance(1)

    @property
    def now(self) -> Now:
        return Now(self.clock.mono_s(), self.clock.wall_ns() / 1e9)

    def command(self, text: str, limit_s: float = 5) -> list[str]:
        """As Port.command."""
        self.commands.append(text)
        self._lines("")
        self.modem.feed((text + "\r").encode(), self.now)
        until_s, answer = self.clock.mono_s() + limit_s, list[str]()
        while self.clock.mono_s() <= until_s:
            for line in self._lines(text):
                if at.classify(line, text) == "final":
                    if (failed := at.failure(line)) is not None:
                        raise Refused(text, failed)
                    return answer
                answer.append(line)
            self.clock.advance(0.01)
        raise NoAnswer(f"no answer to {text}")

    def pass_time(self, seconds: float) -> None:
        """Let the modem say what it has to say by itself."""
        end_s = self.clock.mono_s() + seconds
        while self.clock.mono_s() < end_s:
            self._lines("")
            due = self.modem.due_mono_s()
            step_s = 0.5 if due is None else max(0.02, due - self.clock.mono_s())
            self.clock.advance(min(step_s, end_s - self.clock.mono_s()))
        self._lines("")

    def _lines(self, pending: str) -> list[str]:
        self.modem.advance(self.now)
        self._text += self.modem.output(self.now).decode("latin-1")
        *whole, self._text = self._text.split("\n")
        lines = [line.strip() for line in whole if line.strip()]
        events = [line for line in lines if at.classify(line, pending) == "event"]
        for line in events:
            self.heard.append((self.clock.mono_s(), line))
            self.listener(at.Event(line))
        return [line for line in lines if at.classify(line, pending) in ("answer", "final")]
