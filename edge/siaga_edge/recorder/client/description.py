"""What a camera says of its stream before it sends it: SDP (RFC 4566, RFC 2326 appendix C). Pure."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from siaga_edge.recorder.client.messages import NotUnderstood

Coding = Literal["h264", "h265", "aac", "pcma", "pcmu"]
_VIDEO: dict[str, Coding] = {"h264": "h264", "h265": "h265"}
# Payload types that need no rtpmap (RFC 3551 §6).
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000"}
_RATE_MOST_HZ = 192_000
_AAC_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True, slots=True)
class Announced:
    """One track: its coding, and what its decoder needs."""

    coding: Coding
    payload_type: int
    rate_hz: int
    control: str
    sets: tuple[bytes, ...] = ()  # parameter sets; none if they come in the stream alone
    channels: int = 1
    config: bytes = b""  # AudioSpecificConfig


@dataclass(frozen=True, slots=True)
class Description:
    """The tracks that are recorded, and the control of them all."""

    video: Announced
    sound: Announced | None
    control: str


@dataclass(slots=True)
class _Media:
    kind: str
    protocol: str
    formats: list[str]
    attributes: list[str] = field(default_factory=list)


def read(body: bytes, *, sound: bool) -> Description:
    """The first video and, if wanted, the first sound. Raises NotUnderstood."""
    session, medias = _split(body.decode("utf-8", "replace"))
    videos = [media for media in medias if media.kind == "video"]
    sounds = [media for media in medias if media.kind == "audio"]
    if not videos:
        raise NotUnderstood("the camera's description has no video")
    heard = _sound(sounds[0]) if sound and sounds else None
    return Description(_video(videos[0]), heard, _attribute(session, "control"))


def _split(text: str) -> tuple[list[str], list[_Media]]:
    session: list[str] = []
    medias: list[_Media] = []
    for line in text.splitlines():
        if line.startswith("m="):
            words = line[2:].split()
            if len(words) < 4:
                raise NotUnderstood("a broken m= line in the camera's description")
            medias.append(_Media(words[0], words[2], words[3:]))
        elif line.startswith("a="):
            (medias[-1].attributes if medias else session).append(line[2:].strip())
    return session, medias


def _attribute(attributes: list[str], name: str, format_: str = "") -> str:
    """The value of `name:` or of `name:<format> `; empty if there is none."""
    begin = f"{name}:{format_} " if format_ else f"{name}:"
    return next((one[len(begin) :].strip() for one in attributes if one.startswith(begin)), "")


def _base(media: _Media) -> tuple[str, str, int, int, dict[str, str]]:
    """(coding, channels, payload type, rate, parameters). Raises NotUnderstood."""
    number = media.formats[0]
    mapped = _attribute(media.attributes, "rtpmap", number) or _STATIC.get(number, "")
    match = re.fullmatch(r"([\w.+-]+)/(\d{1,9})(?:/(\d{1,2}))?", mapped)
    if media.protocol != "RTP/AVP" or not re.fullmatch(r"\d{1,3}", number) or int(number) > 127 or not match:
        raise NotUnderstood(f"{media.kind} by {media.protocol} {number} {mapped}"[:100])
    if any(one.startswith(("crypto:", "key-mgmt:")) for one in media.attributes):
        raise NotUnderstood("an encrypted stream")
    pairs = (one.strip().partition("=") for one in _attribute(media.attributes, "fmtp", number).split(";"))
    said = {name.strip().lower(): value.strip() for name, _, value in pairs if name}
    rate_hz = int(match[2])
    if not 0 < rate_hz <= _RATE_MOST_HZ:
        raise NotUnderstood(f"a clock of {rate_hz} Hz")
    return match[1].lower(), match[3] or "1", int(number), rate_hz, said


def _video(media: _Media) -> Announced:
    name, _, number, rate_hz, said = _base(media)
    coding = _VIDEO.get(name)
    if coding is None or rate_hz != 90_000:
        raise NotUnderstood(f"video coded as {name}/{rate_hz}"[:60])
    if coding == "h264" and said.get("packetization-mode", "0") not in ("0", "1"):
        raise NotUnderstood(f"packetization-mode {said['packetization-mode']}"[:40])
    if any(said.get(one, "0") != "0" for one in ("sprop-max-don-diff", "sprop-depack-buf-nalus")):
        raise NotUnderstood("pictures interleaved out of their order")
    names = ("sprop-parameter-sets",) if coding == "h264" else ("sprop-vps", "sprop-sps", "sprop-pps")
    sets = tuple(unit for one in names for unit in _units(said.get(one, "")))
    return Announced(coding, number, rate_hz, _attribute(media.attributes, "control"), sets)


def _units(value: str) -> Iterator[bytes]:
    """Parameter sets; those that cannot be read come in the stream again."""
    for one in value.split(","):
        try:
            unit = base64.b64decode(one.strip().strip('"'), validate=True)
        except (binascii.Error, ValueError):
            continue
        if len(unit) >= 4:
            yield unit.removeprefix(b"\0\0\0\1")


def _sound(media: _Media) -> Announced:
    name, channels, number, rate_hz, said = _base(media)
    control = _attribute(media.attributes, "control")
    if name in ("pcma", "pcmu"):
        if channels not in ("1", "2"):
            raise NotUnderstood(f"sound of {channels} channels")
        return Announced(
            "pcma" if name == "pcma" else "pcmu", number, rate_hz, control, channels=int(channels)
        )
    if name != "mpeg4-generic" or said.get("mode", "").lower() != "aac-hbr":
        raise NotUnderstood(f"sound coded as {name}"[:60])
    form = tuple(said.get(one, "") for one in ("sizelength", "indexlength", "indexdeltalength"))
    if form != ("13", "3", "3"):
        raise NotUnderstood("AAC in another form than AAC-hbr's own")
    config = (
        bytes.fromhex(said["config"])
        if re.fullmatch(r"(?:[0-9a-fA-F]{2}){2,64}", said.get("config", ""))
        else b""
    )
    _check_aac(config, rate_hz)
    return Announced("aac", number, rate_hz, control, channels=max(1, config[1] >> 3 & 15), config=config)


def _check_aac(config: bytes, rate_hz: int) -> None:
    """AAC-LC whose clock is its sampling rate, frames of 1,024 samples (ISO/IEC 14496-3 §1.6.2)."""
    if len(config) < 2:
        raise NotUnderstood("AAC without its configuration")
    kind, rate = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7
    short_frames = config[1] & 4
    if kind != 2 or short_frames or rate >= len(_AAC_RATES_HZ) or _AAC_RATES_HZ[rate] != rate_hz:
        raise NotUnderstood("another AAC than AAC-LC")
