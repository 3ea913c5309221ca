"""One modem's calls, voice and journal in the thread of a test, against a simulated modem with sound."""

import contextlib
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from siaga_core.service.clock import Boot, SystemClock, new_id
from siaga_core.wire.report import Report
from siaga_edge import node
from siaga_edge.journal import Journal
from siaga_edge.modem import calls, profile
from siaga_edge.modem.call import Leg
from siaga_edge.modem.calls import Calls
from siaga_edge.modem.port import Port
from siaga_edge.modem.proof import Tried
from siaga_edge.modem.vitals import Verdict
from siaga_edge.modem.voice import Voice
from siaga_edge.node import NodeConfig
from siaga_edge.simulate.modem.control import Control
from support.simulated_modem import modem_in_thread
from support.two_modems import NUMBER, NUMBER_B

HEARD = Tried(reached=True, heard=True)


def config(folder: Path, prompt: Path, *, answer: bool = True) -> NodeConfig:
    """A node of two modems, `a` and `b` below `folder`."""
    path = folder / "node.toml"
    path.write_text(
        f"""
[node]
id = "gsm-001"
site = "GSM"
data_dir = "{folder}/data"
run_dir = "{folder}/run"
[hub]
broker_host = "127.0.0.1"
gateway_url = "https://127.0.0.1"
ca_file = "x"
certificate_file = "x"
key_file = "x"
[modem]
port = "{folder}/a/modem"
number = "{NUMBER}"
audio_port = "{folder}/a/modem-audio"
reject_after_s = 0
answer = {str(answer).lower()}
prompt_file = "{prompt}"
record_most_s = 5
[modemb]
port = "{folder}/b/modem"
number = "{NUMBER_B}"
audio_port = "{folder}/b/modem-audio"
"""
    )
    return node.load(path)


class Rig:
    """What the service does about calls, and nothing else."""

    calls_kind: type[Calls] = Calls

    def __init__(self, made: NodeConfig, service: str, control: Control, kind: type[Voice] = Voice) -> None:
        settings = made.modem if service == "modem" else made.modemb
        assert settings is not None, "both are in the config"
        self.control, self.clock = control, SystemClock()
        self.verdicts: list[Verdict] = []
        self.owed: list[str] = []
        self.folder = made.recordings_dir(service)
        made.node.data_dir.mkdir(exist_ok=True)
        self.journal = Journal(
            made.journal_file(service), self.clock, Boot(1, "one"), extra_schema=calls.SCHEMA
        )
        self._make: Callable[[], Voice] = partial(
            kind, made, settings, service, self.clock, self.verdicts.append
        )
        self.voice = self._make()
        self.profile = profile.load_all()["sim7600"]
        self.calls = self.fresh_calls()
        self.port = Port(settings.port, 115200, 2, (*self.profile.events, *self.profile.boot))
        self.port.listener = lambda event: self.calls.hear(event.line)
        for command in ("AT+CLIP=1", "AT+CVHU=0", "AT+CCWA=1"):
            self.port.command(command)
        self.voice.begin(self.port, self.profile)

    def fresh_calls(self) -> Calls:
        """The calls as a service that starts anew takes them up."""
        return self.calls_kind(
            self.journal, "modem", self.clock, lambda: new_id(self.clock), 0, self._owe, self.voice
        )

    def die_and_start_again(self) -> None:
        """What a killed service leaves is on disk and at the modem alone."""
        self.voice.drop()
        self.voice = self._make()
        self.voice.begin(self.port, self.profile)
        self.calls = self.fresh_calls()

    def _owe(self, _connection: object, leg: Leg) -> None:
        self.owed.append(leg.report_id)

    def prove(self) -> None:
        """As after two trial calls."""
        self.voice.tried(HEARD)
        self.voice.tried(HEARD)

    def turn(self) -> None:
        """One round."""
        self.port.events()
        self.calls.tend(self.port, self.profile.reject)
        self.voice.tend(self.port, self.calls, self.profile)

    def until(self, what: Callable[[], Any], limit_s: float = 10) -> Any:
        """Go round until something is so."""
        deadline_s = time.monotonic() + limit_s
        while not (found := what()):
            assert time.monotonic() < deadline_s, f"did not happen in {limit_s} s"
            self.turn()
            self.port.wait(self.port.fileno(), 0.05)
        return found

    def reports(self) -> list[Report]:
        """Every record, oldest first."""
        rows = self.journal.connection.execute("SELECT body FROM record ORDER BY seq")
        return [msgspec.json.decode(row["body"], type=Report) for row in rows]

    def last(self) -> Report:
        """The newest record."""
        return self.reports()[-1]

    def states(self) -> list[tuple[str, str | None]]:
        """State and prompt of every record, oldest first."""
        return [(one.call.state, one.call.prompt) for one in self.reports() if one.call is not None]

    def state(self) -> tuple[str, str | None]:
        """Of the newest record; empty while there is none."""
        return [("", None), *self.states()][-1]

    def is_over(self) -> bool:
        """Whether a call has been noted and none goes on."""
        return bool(self.reports()) and not self.calls.busy

    def close(self) -> None:
        """Close port and journal."""
        self.voice.drop()
        self.port.close()
        self.journal.close()


@contextlib.contextmanager
def rig(folder: Path, prompt: Path, kind: type[Voice] = Voice) -> Iterator[Rig]:
    """One modem, its voice not yet proved."""
    (folder / "a").mkdir()
    with modem_in_thread(folder / "a", audio=True) as (_, control):
        made = Rig(config(folder, prompt), "modem", control, kind)
        try:
            yield made
        finally:
            made.close()
