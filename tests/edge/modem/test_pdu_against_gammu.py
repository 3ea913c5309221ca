"""Our reader and libgammu's over the same random messages: every difference has a reason we can name."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from siaga_core.wire import gsm7
from siaga_edge.modem import alphabet, pdu
from siaga_edge.modem.pdu import Deliver
from siaga_edge.simulate.modem import alphabet as network
from siaga_edge.simulate.modem import tpdu
from support import gammu

pytestmark = pytest.mark.skipif(gammu.library() is None, reason="libgammu is not installed")

PLAIN = [letter for letter in gsm7.DEFAULT if letter != "\x1b"]
# Gammu has no form feed and shows U+0001 and others as phones of 2001 did; signs it knows are enough.
EXTENDED = list("^{}[]~|\\€")
WIDE = list("Kebakaran ąłя漢字ضไ中🔥👩🚒é€")
SCHEMES = {
    "gsm7": [0x00, 0x10, 0x11, 0x12, 0x13, 0xC0, 0xC8, 0xD0, 0xD9, 0xF0, 0xF1, 0xF2, 0xF3],
    "ucs2": [0x08, 0x18, 0x19, 0x1A, 0x1B, 0xE0, 0xE8],
}
HEADERS = [b"", b"", b"\x05\x00\x03%c\x04\x02", b"\x06\x08\x04\x12%c\x04\x02", b"\x06\x05\x04\x0b%c\x23\xf0"]
HEADERS += [b"\x0b\x05\x04\x23%c\x00\x00\x00\x03\x07\x03\x01", b"\x03\x7f\x01%c", b"\x04\x70\x02\x00%c"]


@dataclass(frozen=True, slots=True)
class Sent:
    """What was put into a message."""

    octets: bytes
    sender: str
    text: str
    coding: str
    header: bytes
    when: datetime


def some_message(rng: random.Random) -> Sent:
    coding = rng.choice(("gsm7", "gsm7", "ucs2"))
    header = rng.choice(HEADERS).replace(b"%c", bytes([rng.randrange(1, 255)]))
    zone = timezone(timedelta(minutes=15 * rng.randrange(-48, 57)))
    when = datetime(2026, 1, 1, tzinfo=zone) + timedelta(seconds=rng.randrange(10**8))
    sender = rng.choice(
        ("+62812%08d", "0812%07d", "+65%08d", "%05d", "112", "TELKOMSEL", "BPBD", "Ditpam7", "INFO-BMKG11")
    )
    sender = sender % rng.randrange(10, 10**5) if "%" in sender else sender
    if coding == "gsm7":
        letters = rng.choices(PLAIN + EXTENDED, k=rng.randrange(0, 60 if rng.random() < 0.5 else 120))
        fill_bits = -len(header) * 8 % 7
        codes = [code for letter in letters for code in network.septets(letter)]
        codes, letters = _fitting(codes, letters, 160 - (len(header) * 8 + 6) // 7)
        length = (len(header) * 8 + fill_bits) // 7 + len(codes)
        body = header + network.pack(codes, fill_bits)
    else:
        letters = rng.choices(WIDE, k=rng.randrange(0, (140 - len(header)) // 4))
        body = header + "".join(letters).encode("utf-16-be")
        length = len(body)
    octets = (
        b"\x00"
        + bytes([0x04 | (0x40 if header else 0)])
        + tpdu.address(sender)
        + bytes([rng.choice((0x00, 0x41, 0x7F)), rng.choice(SCHEMES[coding])])
        + tpdu.timestamp(when)
        + bytes([length])
        + body
    )
    return Sent(octets, sender, "".join(letters), coding, header, when)


def _fitting(codes: list[int], letters: list[str], room: int) -> tuple[list[int], list[str]]:
    while len(codes) > room:
        codes = codes[: -len(network.septets(letters[-1]))]
        letters = letters[:-1]
    return codes, letters


def differences(sent: Sent) -> list[str]:
    """What we and gammu say differently, and what we say differently from what was sent."""
    ours, theirs = pdu.decode(sent.octets.hex()), gammu.read(sent.octets)
    assert isinstance(ours, Deliver)
    found = [
        name
        for name, said, meant in (
            ("sender", ours.sender, sent.sender),
            ("text", ours.text, sent.text),
            ("time", ours.sent_at, sent.when.isoformat()),
            ("header", b"".join(bytes((e, len(v))) + v for e, v in ours.elements), sent.header[1:]),
        )
        if said != meant
    ]
    if theirs is None:
        return [*found, "gammu refuses"]
    if theirs.number != ours.sender:
        found.append("gammu's sender")
    if theirs.text != ours.text and "\0" not in ours.text:
        found.append("gammu's text")
    if sent.header and theirs.header != sent.header:
        found.append("gammu's header")
    offset_s, second, minute, hour, day, month, year = theirs.time
    when = datetime(year, month, day, hour, minute, second, tzinfo=timezone(timedelta(seconds=offset_s)))
    if when.isoformat() != ours.sent_at:
        found.append("gammu's time")
    return found


@pytest.mark.parametrize("trials", [300, pytest.param(10_000, marks=pytest.mark.slow)])
def test_gammu_reads_the_same_as_we_do(trials: int) -> None:
    rng = random.Random(112)
    for trial in range(trials):
        sent = some_message(rng)
        found = differences(sent)
        assert not found, f"message {trial} {sent.octets.hex()}: {found}, {sent}, {gammu.read(sent.octets)}"


@pytest.mark.parametrize("trials", [100, pytest.param(10_000, marks=pytest.mark.slow)])
def test_gammu_reads_what_we_write(trials: int) -> None:
    rng = random.Random(113)
    for _ in range(trials):
        letters = rng.choice((PLAIN + EXTENDED, WIDE))
        text = "".join(rng.choices(letters, k=rng.randrange(1, 400)))
        whole = ""
        for part in pdu.encode("+6281234567890", text, rng.randrange(1 << 16), wide=rng.random() < 0.5):
            read = gammu.read(bytes.fromhex(part.pdu))
            assert read is not None
            assert read.number == "+6281234567890"
            whole += read.text
        assert whole == (alphabet.plain(text) if letters is not WIDE else text)
