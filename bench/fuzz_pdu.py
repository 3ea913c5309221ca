"""Damaged and invented PDUs through the whole intake: nothing uncaught, every raw one kept, all shown."""

import random
import sys
import tempfile
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path

import msgspec

from bench.fuzz import Outcome
from siaga_core.service.clock import Boot, SystemClock
from siaga_core.wire.report import Report
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.modem import at, pdu
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.simulate.modem import tpdu

# One journal takes so many; then it is checked and a new one begun.
A_JOURNAL, A_BATCH = 20_000, 500
_WIB = timezone(timedelta(hours=7))
_WHEN = datetime(2026, 11, 23, 14, 3, 7, tzinfo=_WIB)


def run(trials: int, seed: int) -> Outcome:
    """`trials` PDUs; `lost` are raw ones not found again, `undelivered` those of which nothing is shown."""
    rng = random.Random(seed)
    corpus = _corpus()
    lost = undelivered = uncaught = refused = done = 0
    while done < trials:
        made = [_mutated(rng, corpus) for _ in range(min(A_JOURNAL, trials - done))]
        done += len(made)
        refused += sum(map(_is_refused, made))
        with tempfile.TemporaryDirectory(prefix="siaga-pdu-") as folder:
            path = Path(folder) / "journal.db"
            uncaught += _take(path, made)
            not_kept, not_shown = _check(path, made)
            lost, undelivered = lost + not_kept, undelivered + not_shown
        sys.stderr.write(f"\rfuzz pdu: {done}/{trials} uncaught {uncaught} lost {lost}")
        sys.stderr.flush()
    sys.stderr.write("\n")
    return Outcome("pdu", trials, lost, 0, undelivered, uncaught, seed, {"refused": refused})


def _take(path: Path, made: list[str]) -> int:
    """Hand the PDUs to the intake as listings of a modem; how many times it raised."""
    numbers, uncaught = count(), 0
    with closing(Journal(path, SystemClock(), Boot(1, "x"), extra_schema=SCHEMA)) as journal:
        intake = Intake(journal, "m", SystemClock(), lambda: f"r{next(numbers)}", lambda _status: None)
        for at_first in range(0, len(made), A_BATCH):
            batch = made[at_first : at_first + A_BATCH]
            try:
                intake.commit("SM", [at.Stored(at_first + place, one) for place, one in enumerate(batch)])
            except Exception as error:  # noqa: BLE001 - this is what the fuzzer looks for
                uncaught += 1
                sys.stderr.write(f"\nuncaught {type(error).__name__}: {error}\n")
    return uncaught


def _check(path: Path, made: list[str]) -> tuple[int, int]:
    """Raw PDUs that the journal's file does not have, and those whose report says nothing."""
    with closing(Journal(path, SystemClock(), Boot(1, "y"), extra_schema=SCHEMA)) as journal:
        rows = [tuple(row) for row in journal.connection.execute("SELECT slot, pdu, report_id FROM pdu")]
    with closing(JournalReader(path, "modem")) as reader:
        records = reader.after("urgent", 0, 10**9)
    shown = set()
    for record in records:
        body = msgspec.json.decode(record.body, type=Report)
        if body.sms is not None and (body.sms.text or body.sms.undecodable is None):
            shown.add(body.report_id)
    kept = {slot: octets for slot, octets, _ in rows}
    not_kept = sum(kept.get(place) != one for place, one in enumerate(made))
    return not_kept, sum(1 for _, _, report in rows if report and report not in shown)


def _is_refused(octets: str) -> bool:
    try:
        pdu.decode(octets)
    except pdu.BadPdu:
        return True
    return False


def _corpus() -> list[bytes]:
    texts = ("Kebakaran di Nagoya", "Tolong " * 40, "Перекрёсток", "🔥" * 90, "{[€]}" * 20, "")
    made = [
        one
        for text in texts
        for sender in ("+6281234567890", "TELKOMSEL", "112")
        for wide in (False, True)
        for one in tpdu.deliver(sender, text, _WHEN, reference=9, wide=wide)
    ]
    return [*made, tpdu.status_report(1, "+62811", _WHEN, _WHEN, 0, "+62811000")]


def _mutated(rng: random.Random, corpus: list[bytes]) -> str:
    octets = bytearray(rng.choice(corpus))
    if rng.random() < 0.05:
        octets = bytearray(rng.randbytes(rng.randrange(60)))
    for _ in range(rng.randrange(1, 6)):
        kind, place = rng.randrange(4), rng.randrange(len(octets) + 1)
        if kind == 0 and octets:
            octets[place % len(octets)] = rng.randrange(256)
        elif kind == 1 and octets:
            octets[place % len(octets)] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del octets[place : place + rng.randrange(1, 20)]
        else:
            octets[place:place] = rng.randbytes(rng.randrange(1, 20))
    text = octets.hex().upper()
    if rng.random() < 0.03:
        place = rng.randrange(len(text) + 1)
        text = text[:place] + rng.choice(("", "g", " ", "\0", "é", "+CMTI: 1")) + text[place + 1 :]
    return text
