"""Messages of several parts: the first part is a report at once, later ones complete it. Pure."""

from dataclasses import dataclass
from itertools import groupby

from siaga_core.wire.report import Report, Sms, SmsPart
from siaga_edge.modem import alphabet, pdu
from siaga_edge.modem.number import to_e164
from siaga_edge.modem.pdu import BadPdu, Deliver

# A reference of 8 bits comes round again: parts further apart than this are of different messages.
SAME_WITHIN_NS = 24 * 3600 * 10**9
# Parts of one text leave the phone together; what is not here by now is not counted on any more.
GAP_AFTER_NS = 90 * 10**9
_GUESS_MOST = 160


@dataclass(frozen=True, slots=True)
class Piece:
    """One received part of a message, as the journal keeps it; `message` is its PDU read again."""

    number: int
    text: str
    pdu: str
    sent_at: str | None
    message: Deliver | None = None


def key(message: Deliver) -> str:
    """What parts of one message have in common; empty for a message of one part.

    Impossible numbering (part 0, part 4 of 3) is no part of anything: such a message stands alone.
    """
    part = message.part
    if part is None or part.total < 2 or not 1 <= part.number <= part.total:
        return ""
    width = 16 if part.wide else 8
    return f"{message.sender}|{part.reference}|{part.total}|{width}"


def is_another(old: Piece, number: int, message: Deliver, pieces: list[Piece], total: int) -> bool:
    """Whether part `number` belongs to a newer message than `old`: the reference has come round.

    The same part with the same time stamp is the network's repetition. With another stamp, to a message that
    is complete, somebody says the same again.
    """
    if old.number != number:
        return False
    complete = len({piece.number for piece in pieces}) == total
    if complete and old.sent_at != message.sent_at:
        return True
    return old.message is None or (old.message.coding, old.message.data) != (message.coding, message.data)


def is_overdue(first_wall_ns: int, now_wall_ns: int) -> bool:
    """Whether what is missing of a message is given up; also when the clock has been set back behind it."""
    return not first_wall_ns <= now_wall_ns < first_wall_ns + GAP_AFTER_NS


def joined(pieces: list[Piece], total: int, *, overdue: bool = False) -> str:
    """The text as far as it has come; a gap is marked where a part is missing.

    Neighbouring parts are read as one: phones cut between the halves of an emoji or behind an escape.
    """
    first = {piece.number: piece for piece in reversed(pieces)}
    if total < 2:
        return _read([first[1]]) if 1 in first else ""
    fate = "tidak tiba" if overdue else "belum tiba"
    runs: list[list[Piece] | str] = []
    for number in range(1, total + 1):
        if (piece := first.get(number)) is None:
            runs.append(f" […{number}/{total} {fate}…] ")
        elif runs and isinstance(runs[-1], list):
            runs[-1].append(piece)
        else:
            runs.append([piece])
    text = "".join(run if isinstance(run, str) else _read(run) for run in runs)
    return text if len(first) == total else text.strip()


def _read(run: list[Piece]) -> str:
    """The text of parts that follow each other."""
    return "".join(_read_alike(list(alike)) for _, alike in groupby(_numbered(run), lambda pair: pair[0]))


def _numbered(run: list[Piece]) -> list[tuple[int, Piece]]:
    """Parts with the number of the stretch that is coded alike; an odd octet would shift all that follows."""
    numbered: list[tuple[int, Piece]] = []
    stretch, before = 0, None
    for piece in run:
        if before is not None and (_coding(before) != _coding(piece) or _is_odd(before)):
            stretch += 1
        numbered.append((stretch, piece))
        before = piece
    return numbered


def _coding(piece: Piece) -> object:
    message = piece.message
    return message and (message.coding, pdu.shift_tables(message.elements))


def _is_odd(piece: Piece) -> bool:
    return piece.message is not None and piece.message.coding == "ucs2" and len(piece.message.data) % 2 == 1


def _read_alike(alike: list[tuple[int, Piece]]) -> str:
    messages = [piece.message for _, piece in alike if piece.message is not None]
    data = b"".join(message.data for message in messages)
    if messages and messages[0].coding == "ucs2":
        return data.decode("utf-16-be", "replace")
    if messages and messages[0].coding == "gsm7":
        return alphabet.decode(list(data), *pdu.shift_tables(messages[0].elements))
    return "".join(piece.text for _, piece in alike)


def report(
    report_id: str,
    revision: int,
    modem: str,
    message: Deliver,
    pieces: list[Piece],
    total: int,
    *,
    overdue: bool = False,
) -> Report:
    """The report of a message as far as it has come."""
    ordered = sorted(pieces, key=lambda piece: piece.number)
    sms = Sms(
        text=joined(pieces, total, overdue=overdue),
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
    """The report of a PDU that cannot be read: it is shown, with what can be guessed of text and sender.

    Nobody is answered for it: the number is for a person to try.
    """
    sms = Sms(text=_guess(octets), parts=[SmsPart(number=1, pdu=octets)], undecodable=str(why))
    sender = pdu.guessed_sender(octets) or None
    return Report(report_id=report_id, revision=1, source="sms", modem=modem, reporter=sender, sms=sms)


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
