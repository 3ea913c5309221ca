"""What the simulated cameras hear: a short tone at every whole second, coded once, sent again and again."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

Audio = Literal["none", "aac", "pcma", "pcmu"]
AUDIOS: tuple[Audio, ...] = get_args(Audio)

# 500 AAC frames of 64 ms and 1,600 G.711 packets of 20 ms: the tone stays on the whole second for ever.
LOOP_S = 32
TONE_HZ, TONE_S = 1000, 0.1


@dataclass(frozen=True, slots=True)
class Sound:
    """Coded sound: `frames` of `step` samples each, as RTP payloads."""

    audio: Audio
    rate_hz: int
    step: int
    payload_type: int
    frames: tuple[bytes, ...]

    @property
    def sdp(self) -> tuple[str, ...]:
        """Its lines of the session description (RFC 3551 §6, RFC 3640 §4.1)."""
        media = f"m=audio 0 RTP/AVP {self.payload_type}"
        if self.audio != "aac":
            return media, f"a=rtpmap:{self.payload_type} {self.audio.upper()}/{self.rate_hz}"
        form = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
        return (
            media,
            f"a=rtpmap:{self.payload_type} MPEG4-GENERIC/{self.rate_hz}/1",
            f"a=fmtp:{self.payload_type} {form};config={_AAC_CONFIG}",
        )


# AudioSpecificConfig of AAC-LC, 16 kHz, one channel (ISO/IEC 14496-3 §1.6.2.1): 00010 1000 0001 000.
_AAC_CONFIG = "1408"
_ENCODERS = {"aac": ("aac", "adts", 16000), "pcma": ("pcm_alaw", "alaw", 8000)}
_ENCODERS["pcmu"] = ("pcm_mulaw", "mulaw", 8000)


def command(audio: Audio, ffmpeg: str) -> list[str]:
    """The ffmpeg that codes the loop; the file's name is to be appended."""
    codec, form, rate_hz = _ENCODERS[audio]
    tone = f"0.5*sin(2*PI*{TONE_HZ}*t)*lt(mod(t\\,1)\\,{TONE_S})"
    # The encoder looks ahead one frame of 1,024 samples: it begins with one that holds nothing.
    seconds = LOOP_S + (1024 / rate_hz if audio == "aac" else 0)
    source = f"aevalsrc={tone}:s={rate_hz}:d={seconds}"
    return [
        *(ffmpeg, "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source),
        *("-ac", "1", "-c:a", codec, "-f", form),
    ]


def parse(audio: Audio, coded: bytes) -> Sound:
    """The coded loop as payloads. Raises ValueError when it is too short."""
    if audio == "aac":
        frames = tuple(_aac_payload(frame) for frame in _adts_frames(coded))[1:][: LOOP_S * 16000 // 1024]
        sound = Sound(audio, 16000, 1024, 97, frames)
    else:
        pieces = tuple(coded[at : at + 160] for at in range(0, LOOP_S * 8000, 160))
        sound = Sound(audio, 8000, 160, 8 if audio == "pcma" else 0, pieces)
    if len(sound.frames) * sound.step != LOOP_S * sound.rate_hz or not sound.frames[-1]:
        raise ValueError("the coded sound is too short")
    return sound


def _adts_frames(coded: bytes) -> Iterator[bytes]:
    """AAC frames without their ADTS headers (ISO/IEC 13818-7 §6.2)."""
    at = 0
    while at + 7 <= len(coded):
        length = int.from_bytes(coded[at + 3 : at + 6], "big") >> 5 & 0x1FFF
        if coded[at] != 0xFF or length < 7:
            raise ValueError("not ADTS")
        yield coded[at + 7 : at + length]
        at += length


def _aac_payload(frame: bytes) -> bytes:
    """One access unit behind its AU header (RFC 3640 §3.3.6)."""
    return struct.pack(">HH", 16, len(frame) << 3) + frame
