"""Texts of several parts through the real intake: whole in any order, and honest about what did not come."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_core.service.clock import Boot
from siaga_edge.journal import Journal
from siaga_edge.modem import alphabet, assembly, at
from siaga_edge.modem.assembly import Piece
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA
from support.clock import FakeClock

PLAIN = "Ada korban di Jl. Sudirman no. 5 @ {blok} [C] €~^\\|\n"
RICH = PLAIN + "🔥🚑👨‍👩‍👧é—’中"
# SMS-DELIVER from +62811, time stamp of 2026-11-24 08:00:00+07:00.
HEAD, STAMP = "004005912618F100", "62114280000082"


class Incoming:
    """An intake on a journal of its own, which can be closed and opened again."""

    def __init__(self, folder: Path, clock: FakeClock) -> None:
        self._file, self._clock, self._made, self._slot = folder / "journal-modem.db", clock, 0, 0
        self.restart()

    def restart(self) -> None:
        """As after a power cut: nothing but the file remains."""
        self.close()
        self.journal = Journal(self._file, self._clock, Boot(1, "b"), extra_schema=SCHEMA)
        self.intake = Intake(self.journal, "modem", self._clock, self._new_id, lambda _status: None)

    def close(self) -> None:
        if hasattr(self, "journal"):
            self.journal.close()

    def take(self, octets: str) -> None:
        """A part arrives in a slot of the SIM."""
        self._slot += 1
        self.intake.commit("SM", [at.Stored(self._slot, octets)])

    def reports(self) -> list[dict[str, Any]]:
        """Every revision, oldest first."""
        rows = self.journal.connection.execute("SELECT body FROM record WHERE kind = 'report' ORDER BY seq")
        return [msgspec.json.decode(row["body"]) for row in rows]

    def text(self) -> str:
        return str(self.reports()[-1]["sms"]["text"])

    def _new_id(self) -> str:
        self._made += 1
        return f"r{self._made}"


@pytest.fixture
def incoming(tmp_path: Path, clock: FakeClock) -> Iterator[Incoming]:
    made = Incoming(tmp_path, clock)
    yield made
    made.close()


def part(units: list[int], reference: int, total: int, number: int, *, wide: bool, rich: bool) -> str:
    """One part as PDU: `units` are septets, or with `rich` UTF-16 code units, cut wherever it was."""
    header = bytes((8, 4, 0, reference, total, number) if wide else (0, 3, reference, total, number))
    header = bytes([len(header)]) + header
    if rich:
        body = header + b"".join(unit.to_bytes(2, "big") for unit in units)
        return f"{HEAD}08{STAMP}{len(body):02X}{body.hex().upper()}"
    skipped = (len(header) * 8 + 6) // 7
    body = header + alphabet.pack(units, skipped * 7 - len(header) * 8)
    return f"{HEAD}00{STAMP}{skipped + len(units):02X}{body.hex().upper()}"


def units_of(text: str, *, rich: bool) -> list[int]:
    if not rich:
        return alphabet.encode(text) or []
    octets = text.encode("utf-16-be")
    return [int.from_bytes(octets[place : place + 2], "big") for place in range(0, len(octets), 2)]


def cut(units: list[int], rng: random.Random) -> list[list[int]]:
    """Into 2 to 9 pieces, anywhere."""
    places = sorted(rng.sample(range(1, len(units)), rng.randint(1, min(8, len(units) - 1))))
    return [units[start:end] for start, end in zip([0, *places], [*places, len(units)], strict=True)]


def joins_texts(pieces: list[Piece], total: int, *, overdue: bool = False) -> str:
    """The mutant: joins what each part reads as by itself."""
    return "".join(piece.text for piece in sorted(pieces, key=lambda piece: piece.number))


def wrong(incoming: Incoming, seeds: range, read: Callable[[Incoming], str]) -> list[int]:
    """The seeds of which the text as reported is not the text as sent."""
    found = []
    for seed in seeds:
        rng = random.Random(seed)
        rich = rng.random() < 0.5
        text = "".join(rng.choice(RICH if rich else PLAIN) for _ in range(rng.randint(10, 120)))
        pieces = cut(units_of(text, rich=rich), rng)
        pdus = [
            part(piece, seed % 256, len(pieces), number, wide=seed % 3 == 0, rich=rich)
            for number, piece in enumerate(pieces, 1)
        ]
        pdus += rng.sample(pdus, rng.randint(0, len(pdus)))
        rng.shuffle(pdus)
        for octets in pdus:
            incoming.take(octets)
        if read(incoming) != text:
            found.append(seed)
    return found


def test_any_text_cut_anywhere_in_any_order_with_repetitions_is_the_same_text(incoming: Incoming) -> None:
    seeds = range(150)
    assert wrong(incoming, seeds, Incoming.text) == []
    assert len({report["report_id"] for report in incoming.reports()}) == len(seeds), "one report each"


def test_the_same_look_catches_texts_joined_part_by_part(incoming: Incoming) -> None:
    def as_texts(incoming: Incoming) -> str:
        newest = incoming.reports()[-1]
        pieces = incoming.intake._ledger.pieces(newest["report_id"])
        return joins_texts(list({piece.number: piece for piece in pieces}.values()), len(pieces))

    assert wrong(incoming, range(40), as_texts)


def three(incoming: Incoming) -> list[str]:
    units = units_of("satu dua tiga ", rich=False)
    return [part(units[at : at + 5], 9, 3, at // 5 + 1, wide=False, rich=False) for at in (0, 5, 10)]


def test_after_ninety_seconds_a_missing_part_is_said_not_to_have_come(
    incoming: Incoming, clock: FakeClock
) -> None:
    first, second, third = three(incoming)
    incoming.take(first)
    assert "[…2/3 belum tiba…]" in incoming.text()
    clock.advance(89)
    assert incoming.intake.give_up_missing() == 0
    incoming.restart()
    clock.advance(2)
    assert incoming.intake.give_up_missing() == 1
    assert "[…2/3 tidak tiba…]" in incoming.text()
    assert "belum" not in incoming.text()
    incoming.restart()
    assert incoming.intake.give_up_missing() == 0, "said once"
    incoming.take(third)
    assert incoming.text() == "satu  […2/3 tidak tiba…] iga"
    incoming.take(second)
    assert incoming.text() == "satu dua tiga "
    assert [report["revision"] for report in incoming.reports()] == [1, 2, 3, 4]


def test_a_message_that_is_whole_in_time_is_never_revised_again(incoming: Incoming, clock: FakeClock) -> None:
    for octets in three(incoming):
        incoming.take(octets)
    clock.advance(3600)
    assert incoming.intake.give_up_missing() == 0
    assert incoming.text() == "satu dua tiga "


def test_a_clock_set_back_does_not_put_the_mark_off(incoming: Incoming, clock: FakeClock) -> None:
    incoming.take(three(incoming)[0])
    clock.jump_wall(-86400)
    assert incoming.intake.give_up_missing() == 1


def test_the_same_words_said_again_are_another_report(incoming: Incoming) -> None:
    parts = three(incoming)
    later = [octets.replace(STAMP, "62114290000082") for octets in parts]
    for octets in [*parts, *later]:
        incoming.take(octets)
    assert len({report["report_id"] for report in incoming.reports()}) == 2
    assert incoming.text() == "satu dua tiga "


def test_an_odd_octet_spoils_only_its_own_part() -> None:
    from siaga_edge.modem import pdu

    def piece(number: int, data: str) -> Piece:
        size = 6 + len(data) // 2
        octets = f"{HEAD}08{STAMP}{size:02X}05000307{3:02X}{number:02X}{data}"
        message = pdu.decode(octets)
        assert isinstance(message, pdu.Deliver)
        return Piece(number, message.text, octets, None, message)

    pieces = [piece(1, "0041"), piece(2, "004200"), piece(3, "0043")]
    assert assembly.joined(pieces, 3) == "AB\ufffdC"
