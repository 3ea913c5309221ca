"""Messages of several parts: the first part is a report at once, later ones complete it. Pure."""

from dataclasses import dataclass

from siaga_core.wire.report import Report, Sms, SmsPart
from siaga_edge.modem import pdu
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.pdu import BadPdu, Deliver

# A reference of 8 bits comes round again: parts further apart than this are of different messages.
SAME_WITHIN_NS = 24 * 3600 * 10**9
_GUESS_MOST = 160


@dataclass(frozen=True, slots=True)
class Piece:
    """One received part of a message, as the journal keeps it."""

    number: int
    text: str
    pdu: str
    sent_at: str | None


def key(message: Deliver) -> str:
    """What parts of one message have in common; empty for a message of one part.

    Impossible numbering (part 0, part 4 of 3) is no part of anything: such a message stands alone.
    """
    part = message.part
    if part is None or part.total < 2 or not 1 <= part.number <= part.total:
        return ""
    width = 16 if part.wide else 8
    return f"{message.sender}|{part.reference}|{part.total}|{width}"


def joined(pieces: list[Piece], total: int) -> str:
    """The text as far as it has come; a gap is marked where a part is missing."""
    texts = {piece.number: piece.text for piece in reversed(pieces)}
    if total < 2:
        return texts.get(1, "")
    marked = (texts.get(number, f" […{number}/{total} belum tiba…] ") for number in range(1, total + 1))
    return "".join(marked).strip()


def report(
    report_id: str, revision: int, modem: str, message: Deliver, pieces: list[Piece], total: int
) -> Report:
    """The report of a message as far as it has come."""
    ordered = sorted(pieces, key=lambda piece: piece.number)
    sms = Sms(
        text=joined(pieces, total),
        parts_total=total,
        parts=[SmsPart(number=piece.number, pdu=piece.pdu) for piece in ordered],
        sent_at=ordered[0].sent_at,
    )
    return Report(
        report_id=report_id,
        revision=revision,
        source="sms",
        modem=modem,
        reporter=message.sender,
        reporter_e164=None if message.alphanumeric else to_e164(message.sender),
        sms=sms,
    )


def undecodable(report_id: str, modem: str, octets: str, why: BadPdu) -> Report:
    """The report of a PDU that cannot be read: it is shown, with what text can be guessed and its octets."""
    sms = Sms(text=_guess(octets), parts=[SmsPart(number=1, pdu=octets)], undecodable=str(why))
    return Report(report_id=report_id, revision=1, source="sms", modem=modem, sms=sms)


def _guess(octets: str) -> str:
    """What the message says as far as it can be read, or its readable runs, or that there are none."""
    if text := pdu.best_effort(octets):
        return text[:_GUESS_MOST]
    try:
        raw = bytes.fromhex(octets)
    except ValueError:
        return octets[:_GUESS_MOST].strip() or "(kosong)"
    runs = "".join(chr(octet) if 32 <= octet < 127 else "\n" for octet in raw).split("\n")
    readable = " ".join(run for run in runs if len(run) >= 4)
    return readable[:_GUESS_MOST] or "(tidak terbaca)"
