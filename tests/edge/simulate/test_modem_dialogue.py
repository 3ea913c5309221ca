"""The modem's half of the conversation, without a terminal: bytes in, bytes out, time as an argument."""

import random
from datetime import UTC, datetime

import pytest

from siaga_edge.simulate.modem import tpdu
from siaga_edge.simulate.modem.dialogue import BOOT_S, SEND_S, Dialogue
from siaga_edge.simulate.modem.faults import Faults
from siaga_edge.simulate.modem.machine import Now, Sim
from siaga_edge.simulate.modem.profile import PROFILES

WHEN = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
REPORT = tpdu.deliver("+628123456789", "Kebakaran di Nagoya", WHEN)[0]


class Talk:
    """A dialogue and a clock that moves when told."""

    def __init__(self, profile: str = "sim7600", **keys: object) -> None:
        self.now_s = 100.0
        self.dialogue = Dialogue(PROFILES[profile], self.now, **keys)  # type: ignore[arg-type]
        self.ask("ATE0")

    @property
    def now(self) -> Now:
        return Now(self.now_s, 1_795_000_000.0 + self.now_s)

    def ask(self, line: str, end: str = "\r") -> str:
        """What the modem says to a line, at once."""
        self.dialogue.feed((line + end).encode(), self.now)
        return self.hear()

    def hear(self) -> str:
        self.dialogue.advance(self.now)
        heard = b""
        while octets := self.dialogue.output(self.now):
            heard += octets
        return heard.decode("latin-1")

    def later(self, seconds: float) -> str:
        """What is heard while `seconds` pass, at the moments the dialogue asks for."""
        end, heard = self.now_s + seconds, ""
        while (due := self.dialogue.due_mono_s()) is not None and due <= end:
            self.now_s = max(self.now_s, due)
            heard += self.hear()
        self.now_s = end
        return heard + self.hear()


def ready(profile: str = "sim7600", **keys: object) -> Talk:
    """A modem set up as a node would."""
    talk = Talk(profile, **keys)
    assert talk.ask("AT+CMGF=0;+CNMI=2,1,0,1,0;+CLIP=1;+CRC=1;+CMEE=1") == "\r\nOK\r\n"
    return talk


def test_a_message_is_stored_before_it_is_announced_and_leaves_only_when_deleted() -> None:
    talk = ready()
    delivery = talk.dialogue.receive(REPORT, talk.now)
    assert talk.hear() == '\r\n+CMTI: "SM",1\r\n'
    assert (delivery.announced_mono_s, delivery.announced_wall_s) == (talk.now.mono_s, talk.now.wall_s)
    length = len(REPORT) - 1 - REPORT[0]
    assert talk.ask("AT+CMGL=4") == f"\r\n+CMGL: 1,0,,{length}\r\n\r\n{REPORT.hex().upper()}\r\n\r\nOK\r\n"
    assert f"+CMGR: 1,,{length}" in talk.ask("AT+CMGR=1"), "read once, so no longer unread"
    assert talk.ask("AT+CMGD=1") == "\r\nOK\r\n"
    assert talk.ask("AT+CMGL=4") == "\r\nOK\r\n"


def test_the_service_centre_keeps_what_does_not_fit_and_hands_it_over_when_a_slot_is_free() -> None:
    talk = ready()
    for _ in range(25):
        talk.dialogue.receive(REPORT, talk.now)
    assert talk.hear().count("+CMTI") == 20
    assert talk.ask("AT+CPMS?").startswith('\r\n+CPMS: "SM",20,20,')
    assert talk.later(30).count("+CMTI") == 0, "still full"
    assert '+CMTI: "SM",7' in talk.ask("AT+CMGD=7") + talk.later(0.1)
    assert (talk.ask("AT+CMGD=1,4") + talk.later(0.1)).count("+CMTI") == 4
    assert [delivery.state for delivery in talk.dialogue.machine.deliveries] == ["stored"] * 25


def test_a_modem_without_current_loses_nothing_that_the_service_centre_holds() -> None:
    talk = ready()
    talk.dialogue.power_off(talk.now)
    talk.dialogue.receive(REPORT, talk.now)
    assert talk.later(20) == ""
    assert talk.dialogue.due_mono_s() is None
    talk.dialogue.power_on(talk.now)
    assert "SMS DONE" in talk.later(BOOT_S + 0.1)
    assert "+CMTI" not in talk.later(5), "a restart forgets AT+CNMI"
    assert "+CMGL: 1" in talk.ask("ATE0") + talk.ask("AT+CMGF=0;+CMGL=4")


@pytest.mark.parametrize(
    ("profile", "says"),
    [("sim7600", "+CMS ERROR: 321"), ("sim800", "OK"), ("ec25", "OK"), ("e173", "+CMS ERROR: 321")],
)
def test_an_empty_slot_is_answered_as_the_model_does(profile: str, says: str) -> None:
    assert ready(profile).ask("AT+CMGR=3") == f"\r\n{says}\r\n"


def test_sending_asks_for_the_pdu_and_believes_its_length_only_when_it_is_true() -> None:
    talk = ready()
    submit = bytes.fromhex("11000B912618112122F20000FF15D437FBED3E83D66979BA0D0AB7C57576D83D07")
    assert talk.ask(f"AT+CMGS={len(submit)}") == "\r\n> "
    assert talk.ask("00" + submit.hex(), "\x1a") + talk.later(SEND_S) == "\r\n+CMGS: 1\r\n\r\nOK\r\n"
    sent = talk.dialogue.machine.sent[0].submit
    assert (sent.to, sent.text) == ("+62811112222", "Tolong kirim ambulans")
    assert talk.ask(f"AT+CMGS={len(submit) + 1}") == "\r\n> "
    assert talk.ask("00" + submit.hex(), "\x1a") + talk.later(SEND_S) == "\r\n+CMS ERROR: 304\r\n"
    assert len(talk.dialogue.machine.sent) == 1


def test_escape_leaves_the_prompt_and_what_came_meanwhile_is_said_then() -> None:
    talk = ready()
    talk.ask("AT+CMGS=20")
    talk.dialogue.receive(REPORT, talk.now)
    assert talk.hear() == "", "nothing may be mixed into the prompt"
    assert talk.ask("0011", "\x1b") == '\r\nOK\r\n\r\n+CMTI: "SM",1\r\n'
    assert talk.dialogue.machine.sent == []


@pytest.mark.parametrize("ds", [1, 2])
def test_a_delivery_report_comes_the_way_cnmi_asks_for(ds: int) -> None:
    talk = ready("ec25")
    talk.ask(f"AT+CNMI=2,1,0,{ds},0")
    submit = "31000B912618112122F20000FF02E834"
    talk.ask(f"AT+CMGS={len(submit) // 2}")
    talk.ask("00" + submit, "\x1a")
    heard = talk.later(1)
    assert ("+CDS: " in heard) == (ds == 1)
    assert ('+CDSI: "SM",0' in heard) == (ds == 2), "EC25 names the wrong place, as reported for the real one"
    assert talk.dialogue.machine.sent[0].reported == 0


def test_three_wrong_pins_lock_the_card_and_a_reset_does_not_give_tries_back() -> None:
    talk = Talk(sim=Sim(pin="1234"))
    talk.ask("AT+CMEE=1")
    assert "+CPIN: SIM PIN" in talk.ask("AT+CPIN?")
    assert "+CMS ERROR: 311" in talk.ask("AT+CMGL=4")
    assert "+CME ERROR: 16" in talk.ask('AT+CPIN="0000"')
    talk.dialogue.power_on(talk.now)
    talk.later(1)
    talk.ask("ATE0;+CMEE=1")
    assert "+SPIC: 2," in talk.ask("AT+SPIC")
    talk.ask('AT+CPIN="0000"')
    assert "+CME ERROR: 12" in talk.ask('AT+CPIN="0000"')
    assert "+CPIN: SIM PUK" in talk.ask("AT+CPIN?")
    assert "+CME ERROR: 12" in talk.ask('AT+CPIN="1234"'), "the right PIN comes too late"
    assert "OK" in talk.ask('AT+CPIN="12345678","4321"')
    assert "+CPIN: READY" in talk.ask("AT+CPIN?")


@pytest.mark.parametrize(
    ("profile", "gives_up"),
    [("sim7600", "MISSED_CALL: "), ("sim800", "NO CARRIER"), ("ec25", "NO CARRIER"), ("e173", "^CEND:1,0")],
)
def test_a_caller_who_gives_up_is_told_as_the_model_does(profile: str, gives_up: str) -> None:
    talk = ready(profile)
    talk.dialogue.ring("+6281234", talk.now, rings=2)
    assert talk.hear() == '\r\n+CRING: VOICE\r\n\r\n+CLIP: "+6281234",145,"",0,"",0\r\n'
    assert "+CLCC: 1,1,4,0,0" in talk.ask("AT+CLCC")
    heard = talk.later(10)
    assert heard.count("+CRING") == 1
    assert gives_up in heard
    assert talk.ask("AT+CLCC") == "\r\nOK\r\n"


def test_ath_does_not_hang_up_a_sim7600_until_cvhu_is_zero() -> None:
    talk = ready("sim7600")
    talk.dialogue.ring("+6281234", talk.now)
    talk.ask("ATA")
    assert talk.ask("ATH") == "\r\nOK\r\n"
    assert "+CLCC: 1,1,0" in talk.ask("AT+CLCC")
    talk.ask("AT+CVHU=0")
    assert "VOICE CALL: END" in talk.ask("ATH")
    assert "+CLCC" not in talk.ask("AT+CLCC")


def test_a_withheld_number_and_a_late_clip() -> None:
    talk = ready(faults=Faults(late_clip_ms=400))
    talk.dialogue.ring("+6281234", talk.now, withheld=True)
    assert "+CLIP" not in talk.hear()
    assert '+CLIP: "",128,"",0,"",1' in talk.later(0.5)
    assert "6281234" not in talk.ask("AT+CLCC")


def test_errors_name_their_cause_only_when_asked() -> None:
    talk = Talk()
    assert talk.ask("AT+CPIN=1234") == "\r\nERROR\r\n"
    talk.ask("AT+CMEE=1")
    assert talk.ask("AT+CPIN=1234") == "\r\n+CME ERROR: 3\r\n"
    talk.ask("AT+CMEE=2")
    assert talk.ask("AT+CPIN=1234") == "\r\n+CME ERROR: operation not allowed\r\n"
    assert talk.ask("AT+NONSENSE") == "\r\nERROR\r\n"


def test_announcements_can_be_dropped_or_put_inside_an_answer() -> None:
    talk = ready(faults=Faults(drop_cmti=1))
    assert talk.dialogue.receive(REPORT, talk.now).announcement == "dropped"
    assert talk.hear() == ""
    talk = ready(faults=Faults(cmti_inside=1))
    talk.dialogue.receive(REPORT, talk.now)
    assert talk.ask("AT+CSQ") == '\r\n+CSQ: 18,99\r\n\r\n+CMTI: "SM",1\r\n\r\nOK\r\n'


def test_a_hung_modem_hears_and_says_nothing_while_messages_are_stored() -> None:
    talk = ready()
    talk.dialogue.hang(4, talk.now)
    delivery = talk.dialogue.receive(REPORT, talk.now)
    assert talk.ask("AT") + talk.later(4) == ""
    assert (delivery.state, delivery.announcement) == ("stored", "dropped")
    assert talk.ask("AT") == "\r\nOK\r\n"


def test_a_delayed_command_is_answered_later_and_in_order() -> None:
    talk = ready()
    talk.dialogue.machine.faults.delay_ms = 150
    assert talk.ask("AT+CSQ\rAT+CREG?") == ""
    first = talk.later(0.16)
    assert "+CSQ" in first
    assert "+CREG" not in first
    assert "+CREG" in talk.later(0.16)


@pytest.mark.parametrize("line", ["clean", "slow", "lossy", "one-byte", "garbage"])
def test_the_line_keeps_the_order_of_bytes_and_adds_or_loses_only_what_its_name_says(line: str) -> None:
    talk = Talk(line=line, seed=7)
    talk.later(2)
    heard = ""
    for _ in range(60):
        talk.dialogue.feed(b"AT+CGMI\r", talk.now)
        heard += talk.later(1)
    said = "\r\nSIMCOM INCORPORATED\r\n\r\nOK\r\n" * 60
    cleaned = "".join(c for c in heard if ord(c) < 0x80 and c != "\0")
    if line == "lossy":
        assert len(said) * 0.98 < len(cleaned) < len(said)
    else:
        assert cleaned == said
    assert (heard != cleaned) == (line == "garbage")


def test_nothing_that_a_node_may_write_breaks_the_modem() -> None:
    rng = random.Random(3)
    pieces = [
        b"AT",
        b"+CMGS=",
        b"+CMGL",
        b'="',
        b"\r",
        b"\x1a",
        b"\x1b",
        b"9" * 30,
        b"\xff\x00",
        b"ATD",
        b";",
        b"?",
    ]
    pieces += [b"+CPMS=", b"ATS0=", b"+CNMI=2,", b"0011000B91", b"&F", b"+CMGD=", b"ATE", b",", b"=-1"]
    for profile in PROFILES:
        talk = Talk(profile)
        for _ in range(3000):
            talk.dialogue.feed(rng.choice(pieces), talk.now)
            talk.later(0.01)
        for end in ("\r", "\x1b", "\r"):
            talk.ask("", end)
            talk.later(1)
        assert "OK" in talk.ask("ATQ0V1") + talk.later(1)
