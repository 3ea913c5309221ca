"""What is wrong with python-gsmmodem-new 0.13.0 with messages, and that ours does not do it.

Each number is a row of the table that docs/decisions/0017 gives; the others are in test_library_line_bugs.
Every test has two halves: the stock class fails in front of the simulated modem, ours passes in front of the
same one. If a new version of the library puts a row right, the first half fails and the row can go.
"""

import threading
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from siaga_core.wire.command import Command, SendSms
from siaga_edge.inbox import InboxWriter
from siaga_edge.modem import pdu
from siaga_edge.modem.intake import Intake
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.control import Control
from support.library import SENDER
from support.waiting import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in the library's own source
    import gsmmodem.pdu

# The library's threads die of what it does not expect; that is what is shown here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

Make = Callable[..., Any]
Played = tuple[Path, Control]


def _pdu(text: str, **keys: Any) -> list[str]:
    return [one.hex().upper() for one in tpdu.deliver(SENDER, text, datetime.now(UTC), **keys)]


def _stock_text(octets: str) -> str:
    return str(gsmmodem.pdu.decodeSmsPdu(octets)["text"])


def _our_text(octets: str) -> str:
    message = pdu.decode(octets)
    assert isinstance(message, pdu.Deliver)
    return message.text


def _never(what: Callable[[], object], for_s: float = 0.4) -> None:
    """What does not happen within a while in which it would have."""
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        assert not what()
        time.sleep(0.02)


def _slots(control: Control) -> list[int]:
    stores = control.state()["stores"]
    return [*stores["SM"], *stores["ME"]]


def test_5_parts_are_one_message(modem: Played, stock: Make, ours: Make) -> None:
    text = "Tabrakan beruntun di Jembatan Barelang, tiga mobil. " * 4
    theirs = stock()
    modem[1].sms(SENDER, text, delay_s=0.3)
    until(lambda: len(theirs.texts) == 2)
    theirs.close()
    mine = ours()
    modem[1].sms(SENDER, text)
    assert mine.sweep() == [text]


def test_6_a_wide_reference_costs_no_letter() -> None:
    [first, *_] = _pdu("ABCDEFGHIJ" * 20, wide=True)
    assert _stock_text(first).startswith("BCDEFGHIJ")
    assert _our_text(first).startswith("ABCDEFGHIJ")


def test_7_a_last_at_sign_is_not_padding() -> None:
    [octets] = _pdu("ABCDEF@@")
    assert _stock_text(octets) == "ABCDEF@"
    assert _our_text(octets) == "ABCDEF@@"


def test_8_a_paragraph_sign_is_one() -> None:
    [octets] = _pdu("pasal § 5")
    assert _stock_text(octets) == "pasal ` 5"
    assert _our_text(octets) == "pasal § 5"
    [octets] = _pdu("api", coding="ucs2")
    waiting = octets.replace("0008", "00E0", 1)  # UCS-2 in the group of message waiting (23.038 §4)
    assert waiting != octets
    assert _stock_text(waiting) != "api"
    assert _our_text(waiting) == "api"


def test_9_a_face_can_be_written_down() -> None:
    [octets] = _pdu("api 🔥", coding="ucs2")
    with pytest.raises(UnicodeEncodeError):
        _stock_text(octets).encode()
    assert _our_text(octets).encode() == "api 🔥".encode()


def test_10_a_face_can_be_sent(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    with pytest.raises(ValueError, match="byte"):
        theirs.modem.sendSms(SENDER, "siap 🔥")
    theirs.close()
    [part] = pdu.encode(SENDER, "siap 🔥", 1)
    ours().port.send(part.length, part.pdu, 5)
    assert [sent["text"] for sent in modem[1].sent()] == ["siap 🔥"]


def test_11_a_wrong_index_of_a_delivery_report_deletes_no_message(
    modem: Played, stock: Make, ours: Make
) -> None:
    theirs = stock()
    modem[1].fault(drop_cmti=1.0)
    modem[1].sms(SENDER, "tolong, rumah terbakar")
    modem[1].say(b'\r\n+CDSI: "ME",1\r\n')
    until(lambda: not _slots(modem[1]))
    assert theirs.texts == [], "destroyed, and told to nobody"
    theirs.close()
    mine = ours()
    modem[1].sms(SENDER, "tolong, rumah terbakar")
    modem[1].say(b'\r\n+CDSI: "SM",1\r\n')
    until(lambda: [event.line for event in mine.port.events()])
    assert _slots(modem[1]) == [1]
    assert mine.sweep() == ["tolong, rumah terbakar"]


class DiskFull(Intake):
    """An intake whose store takes nothing."""

    def commit(self, memory: str, found: list[Any]) -> None:
        raise OSError(28, "No space left on device")


def test_12_what_could_not_be_stored_stays_on_the_sim(modem: Played, stock: Make, ours: Make) -> None:
    def full(_sms: object) -> None:
        raise OSError(28, "No space left on device")

    theirs = stock()
    modem[1].fault(drop_cmti=1.0)
    for text in ("satu", "dua"):
        modem[1].sms(SENDER, text)
    theirs.modem.smsReceivedCallback = full
    with pytest.raises(OSError, match="No space"):
        theirs.modem.processStoredSms()
    assert _slots(modem[1]) == []
    theirs.close()
    mine = ours()
    for text in ("satu", "dua"):
        modem[1].sms(SENDER, text)
    broken = DiskFull(mine.journal, "modem", mine.clock, lambda: "x", lambda _status: None)
    with pytest.raises(OSError, match="No space"):
        broken.sweep(mine.port, ["SM", "ME"])
    assert _slots(modem[1]) == [1, 2]
    assert mine.sweep() == ["satu", "dua"]


def test_13_a_report_on_somebody_elses_message_says_nothing_of_ours(
    modem: Played, stock: Make, ours: Make, tmp_path: Path
) -> None:
    modem[1].fault(report="none")
    now = datetime.now(UTC)
    foreign = tpdu.status_report(1, "+6281999999999", now, now, 0x46, "+62816124")
    said = f"\r\n+CDS: {len(foreign) - 1 - foreign[0]}\r\n{foreign.hex().upper()}\r\n".encode()
    theirs = stock(AT_CNMI="2,1,0,1")
    threading.Timer(0.3, modem[1].say, [said]).start()
    theirs.modem.sendSms(SENDER, "Petugas menuju lokasi", waitForDeliveryReport=True, deliveryTimeout=3)
    theirs.close()  # it came back, content with the failure of another's message
    mine = ours()
    _order(tmp_path, "Petugas menuju lokasi")
    mine.outbound.take_orders()
    assert mine.outbound.send_next(mine.port)
    reference = modem[1].sent()[-1]["reference"]
    wrong = pdu.decode(tpdu.status_report(reference, "+6281999999999", now, now, 0x46, "+62816124").hex())
    assert isinstance(wrong, pdu.StatusReport)
    mine.outbound.status(wrong)
    states = mine.journal.connection.execute("SELECT state FROM sent_part").fetchall()
    assert [row["state"] for row in states] == ["SENT"]


def _order(folder: Path, text: str) -> None:
    writer = InboxWriter(folder / "inbox.db")
    order = SendSms(to=SENDER, text=text)
    writer.put(
        Command(
            id="01", node="n", service="modem", order=order, issued_ms=0, expires_ms=1 << 45, issuer="rina"
        )
    )
    writer.close()


def test_24_octets_that_are_no_message_are_taken_and_shown(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].pdu("0011223344544F4C4F4E47")
    _never(lambda: theirs.texts)
    assert _slots(modem[1]) == [1], "it lies there, and nobody is told"
    theirs.close()
    mine = ours()
    mine.sweep()
    [report] = mine.reports()
    assert report.sms is not None
    assert report.sms.undecodable
    assert _slots(modem[1]) == []
