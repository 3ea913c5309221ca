"""The ear for the other modem's tone: what passes for it, and what never does."""

import math
import random
import struct

import pytest

from siaga_edge.modem import tone
from siaga_edge.modem.tone import DIALLED_HZ, DIALLER_HZ, Ear

FRAMES = 150  # three seconds


def heard(frames: list[bytes], hz: float = DIALLER_HZ) -> Ear:
    ear = Ear(hz)
    for frame in frames:
        ear = tone.listen(ear, frame)
    return ear


def wave(*parts: tuple[float, float], frames: int = FRAMES) -> list[bytes]:
    """Steady sines, each of a frequency and an amplitude."""
    made = []
    for number in range(frames):
        at = range(number * tone.FRAME_SAMPLES, (number + 1) * tone.FRAME_SAMPLES)
        values = [sum(loud * math.sin(2 * math.pi * hz * n / 8000) for hz, loud in parts) for n in at]
        made.append(
            struct.pack(f"<{tone.FRAME_SAMPLES}h", *(max(-32768, min(32767, int(v))) for v in values))
        )
    return made


def noise(loud: int, seed: int = 5) -> list[bytes]:
    draw = random.Random(seed)
    frame = tone.FRAME_SAMPLES
    return [
        struct.pack(f"<{frame}h", *(draw.randint(-loud, loud) for _ in range(frame))) for _ in range(FRAMES)
    ]


def bursts(hz: float) -> list[bytes]:
    return [tone.burst_frame(hz, number) for number in range(FRAMES)]


def mixed(one: list[bytes], other: list[bytes]) -> list[bytes]:
    pairs = zip(one, other, strict=True)
    return [
        struct.pack(
            "<160h", *(max(-32768, min(32767, a + b)) for a, b in zip(*map(tone.samples, pair), strict=True))
        )
        for pair in pairs
    ]


@pytest.mark.parametrize("hz", [DIALLER_HZ, DIALLED_HZ])
def test_the_bursts_are_heard_through_noise_loss_of_level_and_a_late_path(hz: float) -> None:
    quiet = [struct.pack("<160h", *(one // 20 for one in tone.samples(frame))) for frame in bursts(hz)]
    for frames in (bursts(hz), mixed(bursts(hz), noise(3000)), quiet, [tone.SILENCE] * 40 + bursts(hz)):
        assert heard(frames, hz).has_heard


@pytest.mark.parametrize(
    "frames",
    [
        [tone.SILENCE] * FRAMES,
        [b"\xff\x7f" * 160] * FRAMES,
        noise(9000),
        noise(30),
        bursts(DIALLED_HZ),
        wave((DIALLED_HZ, 30000.0), (DIALLED_HZ / 2, 9000.0)),
        wave((425.0, 9000.0)),
        wave((941.0, 6000.0), (1336.0, 6000.0)),
        wave((950.0, 9000.0)),
        wave((180.0, 5000.0), (360.0, 4000.0), (1030.0, 3000.0), (2200.0, 1500.0)),
        [b"", b"\x01"],
    ],
    ids=["silence", "stuck", "noise", "hiss", "echo", "harmonics", "engaged", "dtmf", "sit", "voice", "torn"],
)
def test_nothing_else_passes_for_it(frames: list[bytes]) -> None:
    assert not heard(frames).has_heard


def test_a_second_of_it_is_needed_and_a_path_that_stutters_is_none() -> None:
    short = bursts(DIALLER_HZ)[: tone.TONED_LEAST]
    assert not heard(short).has_heard
    stutters = [
        frame if number % 3 == 0 else tone.SILENCE for number, frame in enumerate(bursts(DIALLER_HZ) * 2)
    ]
    ear = heard(stutters)
    assert ear.toned >= tone.TONED_LEAST
    assert not ear.has_heard
