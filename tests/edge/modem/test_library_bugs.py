"""What is wrong with python-gsmmodem-new 0.13.0, shown on its own class, and that ours does not do it.

Each number is a row of the table that docs/decisions/0017 gives. Every test has two halves: the stock class
fails in front of the simulated modem, ours passes in front of the same one. If a new version of the library
puts a row right, the first half fails and the row can go.
"""

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from siaga_core.service.clock import Boot
from siaga_core.wire.command import Command, SendSms
from siaga_core.wire.report import Report
from siaga_edge.inbox import Inbox, InboxWriter
from siaga_edge.inbox.reader import EXTRA_SCHEMA
from siaga_edge.journal import Journal, JournalReader
from siaga_edge.modem import calls, pdu, pin
from siaga_edge.modem.intake import Intake
from siaga_edge.modem.ledger import SCHEMA
from siaga_edge.modem.outbound import Outbound
from siaga_edge.modem.port import NoAnswer, Port, PortGone, Refused
from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.control import Control
from siaga_edge.simulate.modem.machine import Sim
from support.clock import FakeClock
from support.simulated_modem import modem_in_thread
from support.waiting import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in the library's own source
    import gsmmodem.modem
    import gsmmodem.pdu
    from gsmmodem.exceptions import TimeoutException
    from gsmmodem.modem import GsmModem

# The library's threads die of what it does not expect; that is what is shown here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

SENDER = "+6281234567890"
IMEI = "866758042345678"


class Stock:
    """The library's own modem, and what it told its callbacks."""

    def __init__(self, link: Path, **keys: Any) -> None:
        self.texts: list[Any] = []
        self.calls: list[tuple[str | None, int]] = []
        self.modem = GsmModem(
            str(link),
            115200,
            smsReceivedCallbackFunc=self.texts.append,
            incomingCallCallbackFunc=lambda call: self.calls.append((call.number, call.ringCount)),
            **keys,
        )
        self.modem.timeout = 0.05  # of one read, so that it ends soon

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.modem.close()


class Ours:
    """Our port, intake and calls over a journal."""

    def __init__(self, folder: Path, link: Path, limit_s: float = 3.0) -> None:
        self.folder, self.clock = folder, FakeClock()
        schema = f"{EXTRA_SCHEMA};{SCHEMA};{calls.SCHEMA}"
        self.journal = Journal(folder / "journal-modem.db", self.clock, Boot(1, "b"), extra_schema=schema)
        self.port = Port(str(link), 115200, limit_s)
        numbers = iter(f"r{number:03d}" for number in range(1000))
        self.inbox = Inbox(folder / "inbox.db", "modem", self.journal)
        self.outbound = Outbound(self.journal, self.inbox, self.clock)
        self.intake = Intake(self.journal, "modem", self.clock, lambda: next(numbers), self.outbound.status)
        self.calls = calls.Calls(
            self.journal, "modem", self.clock, lambda: next(numbers), 15, lambda _connection, _leg: None
        )
        self.port.listener = lambda event: self.calls.hear(event.line)
        for command in ("AT+CMGF=0", 'AT+CPMS="SM","SM","SM"', "AT+CNMI=2,1,0,1,0", "AT+CLIP=1"):
            self.port.command(command)

    def reports(self) -> list[Report]:
        with contextlib.closing(JournalReader(self.folder / "journal-modem.db", "modem")) as reader:
            bodies = [record for record in reader.after("urgent", 0, 1000) if record.kind == "report"]
        newest = {}
        for record in bodies:
            report = msgspec.json.decode(record.body, type=Report)
            newest[report.report_id] = report
        return list(newest.values())

    def texts(self) -> list[str]:
        return [report.sms.text for report in self.reports() if report.sms]

    def sweep(self) -> list[str]:
        self.intake.sweep(self.port, ["SM", "ME"])
        return self.texts()

    def close(self) -> None:
        self.port.close()
        self.inbox.close()
        self.journal.close()


@pytest.fixture
def modem(tmp_path: Path) -> Iterator[tuple[Path, Control]]:
    with modem_in_thread(tmp_path) as played:
        yield played


Bench = Callable[..., Any]


@pytest.fixture
def stock(modem: tuple[Path, Control]) -> Iterator[Callable[..., Stock]]:
    made: list[Stock] = []

    def make(**keys: Any) -> Stock:
        made.append(Stock(modem[0], **keys))
        made[-1].modem.connect()
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ours(modem: tuple[Path, Control], tmp_path: Path) -> Iterator[Callable[..., Ours]]:
    made: list[Ours] = []

    def make(**keys: Any) -> Ours:
        made.append(Ours(tmp_path, modem[0], **keys))
        return made[-1]

    yield make
    for one in made:
        one.close()


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


Make = Callable[..., Any]
Played = tuple[Path, Control]


def test_1_a_byte_of_noise_does_not_end_the_reader(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].say(b"\xff\xfe\r\n")
    until(lambda: not theirs.modem.rxThread.is_alive())
    assert theirs.modem.alive, "it is deaf, and says that it is well"
    modem[1].sms(SENDER, "hilang")
    _never(lambda: theirs.texts)
    theirs.close()
    mine = ours()
    modem[1].say(b"\xff\xfe\r\n")
    modem[1].sms(SENDER, "Kebakaran")
    assert sorted(mine.sweep()) == ["Kebakaran", "hilang"]


def test_2_an_event_inside_an_answer_is_not_part_of_it(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].fault(cmti_inside=1.0)
    modem[1].sms(SENDER, "satu")
    assert any("+CMTI" in line for line in theirs.modem.write("AT+CSQ"))
    _never(lambda: theirs.texts)
    theirs.close()
    mine = ours()
    modem[1].sms(SENDER, "dua")
    assert mine.port.command("AT+CSQ") == ["+CSQ: 18,99"]
    assert [event.line for event in mine.port.events()] == ['+CMTI: "SM",1']
    assert mine.sweep() == ["dua", "satu"], "the library's was in the modem's own store"


def test_3_two_announcements_at_once_are_two(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].fault(drop_cmti=1.0)
    modem[1].sms(SENDER, "satu")
    modem[1].sms(SENDER, "dua")
    modem[1].say(b'\r\n+CMTI: "ME",1\r\n\r\n+CMTI: "ME",2\r\n')
    until(lambda: theirs.texts)
    _never(lambda: len(theirs.texts) > 1)
    theirs.close()
    modem[1].sms(SENDER, "tiga")
    assert ours().sweep() == ["tiga", "dua"]


def test_4_a_number_that_comes_after_its_ring_is_not_lost(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].fault(late_clip_ms=60)
    modem[1].call(SENDER, rings=1, every_s=0.3)
    until(lambda: theirs.calls)
    assert theirs.calls[0] == (None, 1)
    theirs.close()
    mine = ours()
    until(lambda: not modem[1].state()["calls"])
    modem[1].call(SENDER, rings=1, every_s=0.3)
    until(lambda: mine.port.events() is not None and [one.reporter for one in mine.reports()] == [SENDER])


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


def test_14_a_second_call_is_a_second_call(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    for _ in range(2):
        modem[1].call(SENDER, rings=1, every_s=0.2)
        until(lambda: not modem[1].state()["calls"])
    until(lambda: len(theirs.calls) == 2)
    assert theirs.calls[1] == (SENDER, 2), "counted as the second ring of a call that is over"
    theirs.close()
    mine = ours()
    for _ in range(2):
        modem[1].call(SENDER, rings=1, every_s=0.2)
        until(lambda: mine.port.events() is not None and mine.calls.busy)
        until(lambda: not modem[1].state()["calls"])
        for _ in range(3):
            mine.clock.advance(1.1)
            mine.port.events()
            mine.calls.tend(mine.port, ["AT+CHUP"])
    assert [report.reporter for report in mine.reports()] == [SENDER, SENDER]


def test_15_a_national_number_stays_national(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].say(b'\r\n+CRING: VOICE\r\n\r\n+CLIP: "081234567890",129,"",0,"",0\r\n')
    until(lambda: theirs.calls)
    assert theirs.calls[0][0] == "+081234567890"
    theirs.close()
    mine = ours()
    modem[1].say(b'\r\nRING\r\n\r\n+CLIP: "081234567890",129,"",0,"",0\r\n')
    until(lambda: mine.port.events() is not None and mine.reports())
    until(lambda: mine.port.events() is not None and mine.reports()[0].reporter == "081234567890")
    assert mine.reports()[0].reporter_e164 == SENDER


def test_16_a_list_of_calls_with_a_name_is_read(modem: Played, stock: Make) -> None:
    theirs = stock()
    with pytest.raises(TimeoutException):
        theirs.modem.dial(SENDER, timeout=1)
    [shown] = theirs.modem.write("AT+CLCC")[:1]
    assert shown.endswith(',""'), "the call was there all the time"
    assert calls.listed(['+CLCC: 1,1,4,0,0,"081234567890",129,""'])[0].number == "081234567890"


@pytest.mark.slow
def test_17_a_busy_sim_is_asked_again_but_not_for_ever(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].fault(fail="+CSQ", fail_code=14, fail_count=5000)
    asking = threading.Thread(target=lambda: theirs.modem.write("AT+CSQ"), daemon=True)
    asking.start()
    asking.join(1.8)
    assert asking.is_alive(), "each try waits longer than the one before, without a bound"
    modem[1].clear_faults()
    asking.join(5)
    theirs.close()
    mine = ours()
    modem[1].fault(fail="+CSQ", fail_code=14, fail_count=2)
    assert mine.port.command("AT+CSQ") == ["+CSQ: 18,99"]
    modem[1].fault(fail="+CSQ", fail_code=14, fail_count=5000)
    asked = time.monotonic()
    with pytest.raises(Refused):
        mine.port.command("AT+CSQ")
    assert time.monotonic() - asked > 1.4


class Undrained(Port):
    """The mutant: goes on after a time-out as if nothing were owed."""

    def _drain(self) -> None:
        super()._drain()
        self._owes = False


@pytest.mark.parametrize("kind", [Port, Undrained])
def test_18_a_late_answer_is_not_the_next_commands(modem: Played, stock: Make, kind: type[Port]) -> None:
    theirs = stock()
    modem[1].fault(delay_ms=250)
    with pytest.raises(TimeoutException):
        theirs.modem.write("AT+CSQ", timeout=0.1)
    assert theirs.modem.write("AT+CGSN")[0] == "+CSQ: 18,99"
    assert theirs.modem.write("AT+CIMI")[0] == IMEI, "and so on for ever"
    theirs.close()
    modem[1].fault(delay_ms=100)
    port = kind(str(modem[0]), 115200, 0.3)
    try:
        with pytest.raises(NoAnswer):
            port.command("AT+CSQ", 0.05)
        in_step = port.command("AT+CGSN") == [IMEI]
    finally:
        port.close()
    assert in_step is (kind is Port)


def test_19_who_waits_is_woken_when_the_modem_vanishes(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    modem[1].fault(delay_ms=3000)
    sending = threading.Thread(target=lambda: theirs.modem.write("AT+CSQ", timeout=35), daemon=True)
    sending.start()
    threading.Event().wait(0.1)
    modem[1].unplug(0.3)
    sending.join(1)
    assert sending.is_alive(), "it waits for the answer of a modem that is gone"
    until(modem[0].exists)
    modem[1].clear_faults()
    mine = ours(limit_s=30)
    modem[1].fault(delay_ms=3000)
    threading.Timer(0.1, modem[1].unplug, [0.3]).start()
    asked = time.monotonic()
    with pytest.raises(PortGone):
        mine.port.command("AT+CSQ", 30)
    assert time.monotonic() - asked < 2
    with pytest.raises(PortGone):
        mine.port.command("AT")


def test_20_a_wire_without_flow_control_is_no_hindrance(stock: Make, ours: Make) -> None:
    theirs = stock()
    assert theirs.modem.serial.rtscts
    assert theirs.modem.serial.dsrdtr
    theirs.close()
    mine = ours()
    assert not mine.port.serial.rtscts
    assert not mine.port.serial.dsrdtr
    assert mine.port.serial.write_timeout is not None


def test_21_nobody_speaks_into_another_threads_prompt(modem: Played, stock: Make, ours: Make) -> None:
    theirs = stock()
    theirs.modem.write("AT+CMGS=20", timeout=2, expectedResponseTermSeq="> ")
    with pytest.raises(TimeoutException):
        theirs.modem.write("AT+CSQ", timeout=0.3)  # went into the text of the message
    theirs.modem.write("\x1b", waitForResponse=False)
    theirs.close()
    mine = ours()
    raised: list[BaseException] = []

    def intrude() -> None:
        try:
            mine.port.command("AT+CSQ")
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=intrude)
    thread.start()
    thread.join()
    assert "belongs to another thread" in str(raised[0])


def test_22_two_modems_share_nothing(stock: Make, ours: Make) -> None:
    gsmmodem.modem.Call.dtmfSupport = False
    stock().close()
    assert gsmmodem.modem.Call.dtmfSupport, "what one modem can do is now said of every other"
    mine = ours()
    mine.port.family_events = ("^ONLY:",)
    mine.port.audio_is_proved = True
    assert not hasattr(Port, "family_events")
    assert not hasattr(Port, "audio_is_proved")


def test_23_a_wrong_pin_is_given_once(tmp_path: Path) -> None:
    with modem_in_thread(tmp_path, sim=Sim(pin="1234")) as (link, control):
        for _ in range(3):
            theirs = Stock(link)
            with contextlib.suppress(Exception):
                theirs.modem.connect(pin="9999")
            theirs.close()
        assert control.state()["pin"] == "SIM PUK", "three restarts, and the SIM is locked"
    wrong = tmp_path / "pin"
    wrong.write_text("9999\n")
    with modem_in_thread(tmp_path, sim=Sim(pin="1234")) as (link, control):
        for _ in range(5):
            port = Port(str(link), 115200, 3)
            with pytest.raises(pin.SimLocked):
                pin.unlock(port, wrong, tmp_path / "tried")
            port.close()
        assert control.state()["pin"] == "SIM PIN"
        port = Port(str(link), 115200, 3)
        assert pin.tries_left(port, "AT+SPIC") == 2
        port.close()


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
