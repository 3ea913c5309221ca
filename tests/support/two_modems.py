"""Two simulated modems with sound that reach each other, the services of both, and a city's prompt."""

import contextlib
import random
import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from siaga_edge.modem.status import read_status
from siaga_edge.simulate.modem.control import Control
from support.modem_service import Service
from support.simulated_modem import modem_in_thread

NUMBER, NUMBER_B = "+6281111111111", "+6285222222222"


def noise(seconds: float, seed: int) -> bytes:
    """Speech-like octets that no other file has: 8 kHz, s16le, mono."""
    draw = random.Random(seed)
    return b"".join(struct.pack("<h", draw.randint(-9000, 9000)) for _ in range(int(8000 * seconds)))


def write_prompt(path: Path, pcm: bytes, *, rate_hz: int = 8000) -> Path:
    """A WAV file as the city records it."""
    with wave.open(str(path), "wb") as made:
        made.setparams((1, 2, rate_hz, 0, "NONE", ""))
        made.writeframes(pcm)
    return path


@dataclass(slots=True)
class TwoModems:
    """The site: its first service, and both modems' controls."""

    folder: Path
    service: Service
    control: Control
    control_b: Control

    def voice(self, service: str = "modem") -> tuple[str, str]:
        """Whether callers would be answered: level and detail; empty before it is known."""
        status = read_status(self.folder / "run", service)
        return status.verdicts.get("modem.voice", ("", "")) if status else ("", "")


@contextlib.contextmanager
def two_modems(folder: Path, prompt: Path, *, record_most_s: float = 5) -> Iterator[TwoModems]:
    """Started, not yet proved; everything is ended afterwards."""
    one, other = folder / "a", folder / "b"
    with contextlib.ExitStack() as stack:
        controls = []
        for place, number, peer, way in ((one, NUMBER, NUMBER_B, other), (other, NUMBER_B, NUMBER, one)):
            place.mkdir()
            _, control = stack.enter_context(modem_in_thread(place, audio=True))
            control.peers(number, {peer: way / "modem.sock"})
            controls.append(control)
        more = f"""
number = "{NUMBER}"
audio_port = "{one}/modem-audio"
answer = true
prompt_file = "{prompt}"
record_most_s = {record_most_s}
[modemb]
port = "{other}/modem"
number = "{NUMBER_B}"
audio_port = "{other}/modem-audio"
sweep_every_s = 1
answer_limit_s = 2
"""
        service = Service(folder, one / "modem", more)
        second = service.start_second()
        service.start()
        try:
            yield TwoModems(folder, service, *controls)
        finally:
            second.kill()
            second.wait()
            service.kill()
