"""What is wrong with python-gsmmodem-new 0.13.0 on the line and with calls, and that ours does not do it.

Each number is a row of the table that docs/decisions/0017 gives; the others are in test_library_message_bugs.
Every test has two halves: the stock class fails in front of the simulated modem, ours passes in front of the
same one. If a new version of the library puts a row right, the first half fails and the row can go.
"""

import contextlib
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from siaga_edge.modem import calls, pin
from siaga_edge.modem.port import NoAnswer, Port, PortGone, Refused
from siaga_edge.simulate.modem.control import Control
from siaga_edge.simulate.modem.machine import Sim
from support.library import SENDER, Stock
from support.simulated_modem import modem_in_thread
from support.waiting import until

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # invalid escapes in the library's own source
    import gsmmodem.modem
    from gsmmodem.exceptions import TimeoutException

# The library's threads die of what it does not expect; that is what is shown here.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

IMEI = "866758042345678"
Make = Callable[..., Any]
Played = tuple[Path, Control]


def _never(what: Callable[[], object], for_s: float = 0.4) -> None:
    """What does not happen within a while in which it would have."""
    end_s = time.monotonic() + for_s
    while time.monotonic() < end_s:
        assert not what()
        time.sleep(0.02)


def _asks(theirs: Stock, limit_s: float) -> None:
    """In a thread of its own, which may outlive its test."""
    with contextlib.suppress(Exception):
        theirs.modem.write("AT+CSQ", timeout=limit_s)


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
    modem[1].say(b'\r\n+CMTI: "ME",1\r\n\r\nRING\r\n')
    _never(lambda: theirs.calls)
    theirs.close()
    modem[1].sms(SENDER, "tiga")
    mine = ours()
    assert mine.sweep() == ["tiga", "dua"]
    modem[1].say(b'\r\n+CMTI: "ME",1\r\n\r\nRING\r\n')
    until(lambda: [event.line for event in mine.port.events()] == ['+CMTI: "ME",1'] and mine.calls.busy)


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
    asking = threading.Thread(target=_asks, args=[theirs, 10], daemon=True)
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
    sending = threading.Thread(target=_asks, args=[theirs, 35], daemon=True)
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
