"""The two test tones by which a modem's audio path is proved, and the ear for them. Pure.

A frame is 20 ms of signed 16 bit little-endian mono at 8 kHz. The tones come in bursts: a handset's noise
suppression takes a steady one for noise and removes it.
"""

import math
import struct
from dataclasses import dataclass

RATE_HZ, FRAME_SAMPLES = 8000, 160
FRAME_OCTETS, FRAME_S = 2 * FRAME_SAMPLES, FRAME_SAMPLES / RATE_HZ
SILENCE = bytes(FRAME_OCTETS)
# Of the modem that dials and of the one that is dialled: each must hear the other's, so its own echo proves
# nothing. Neither is a network's own tone (425 Hz; 950, 1400 and 1800 Hz, ITU-T E.180), a DTMF frequency
# (Q.23) or a harmonic of the other.
DIALLER_HZ, DIALLED_HZ = 1020.0, 1700.0
BEEP_HZ, BEEP_FRAMES = 1000.0, 15
AMPLITUDE = 8000  # -12 dBFS: loud, and no codec clips it
ON_FRAMES, OFF_FRAMES = 12, 8
# Speech codecs pass a tone at 0.8 of a frame's energy and more; speech has rarely half in one frequency.
SHARE_LEAST = 0.5
RMS_LEAST = 150.0  # -47 dBFS; a line's own noise lies below
# One second of tone, and gaps only where the bursts have theirs: a path that stutters is none.
TONED_LEAST, WHOLE_LEAST = 50, 0.6


def frame(hz: float, number: int) -> bytes:
    """Frame `number` of a steady tone."""
    first, step = number * FRAME_SAMPLES, 2 * math.pi * hz / RATE_HZ
    samples = (int(AMPLITUDE * math.sin(step * (first + place))) for place in range(FRAME_SAMPLES))
    return struct.pack(f"<{FRAME_SAMPLES}h", *samples)


def burst_frame(hz: float, number: int) -> bytes:
    """Frame `number` of the tone in bursts."""
    return frame(hz, number) if number % (ON_FRAMES + OFF_FRAMES) < ON_FRAMES else SILENCE


def samples(octets: bytes) -> tuple[int, ...]:
    """The samples of whole frames."""
    return struct.unpack(f"<{len(octets) // 2}h", octets[: len(octets) & ~1])


def has_tone(octets: bytes, hz: float) -> bool:
    """Whether a frame is mostly this tone (Goertzel's algorithm)."""
    heard = samples(octets)
    energy = float(sum(one * one for one in heard))
    if not heard or energy < RMS_LEAST**2 * len(heard):
        return False
    turn = 2 * math.cos(2 * math.pi * hz / RATE_HZ)
    last = before = 0.0
    for one in heard:
        last, before = one + turn * last - before, last
    power = last * last + before * before - turn * last * before
    return 2 * power / (len(heard) * energy) >= SHARE_LEAST


@dataclass(frozen=True, slots=True)
class Ear:
    """What has been heard of the tone at `hz`: frames in all, with it, and since the first with it."""

    hz: float
    frames: int = 0
    toned: int = 0
    since: int = 0

    @property
    def has_heard(self) -> bool:
        """Whether the other side's tone comes through, and whole."""
        whole = self.since * ON_FRAMES / (ON_FRAMES + OFF_FRAMES) * WHOLE_LEAST
        return self.toned >= TONED_LEAST and self.toned >= whole


def listen(ear: Ear, octets: bytes) -> Ear:
    """The ear after one more frame."""
    toned = has_tone(octets, ear.hz)
    begun = toned or ear.since > 0
    return Ear(ear.hz, ear.frames + 1, ear.toned + toned, ear.since + begun)
