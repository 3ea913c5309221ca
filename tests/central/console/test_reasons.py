"""What nodes say of themselves is read in the reader's language, whatever the node's version."""

import ast
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import pytest

import siaga_central
import siaga_edge
from siaga_central.console.reasons import SENTENCES, code, worded
from siaga_central.console.wording import catalogue
from siaga_central.store import nodes
from siaga_core.wire.health import CameraState, Health, Reading, ServiceState
from siaga_edge.cameras.judgement import Judgement, Limits, Look
from siaga_edge.modem import forwarding, ladder, vitals
from support.console import City

Browse = Callable[[str], httpx.Client]
_EDGE = Path(siaga_edge.__file__).parent
# Errors whose text a node sends to the hub as a reason or detail.
_TOLD = {
    *("PictureUnreadable", "CameraTrouble", "PortMissing", "PortGone", "NoAnswer", "NoFootage"),
    *("SimLocked", "Unavailable"),
}
_HUB = Path(siaga_central.__file__).parent
# Errors whose text the console shows to an operator.
_SHOWN = {
    "HTTPException",
    "IllegalMove",
    "BadSpan",
    "NoSuchIncident",
    "NoSuchCallback",
    "BadRoster",
    "BadPolicy",
}

indonesian = catalogue("id").gettext


def in_indonesian(text: str) -> str:
    return worded(text, indonesian)


def as_english(text: str) -> str:
    return worded(text, lambda message: message)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("no picture for 12 s", "tidak ada gambar selama 12 dtk"),
        (
            "no picture for 12 s: camera cam-1 sends no more pictures",
            "tidak ada gambar selama 12 dtk: kamera cam-1 tidak lagi mengirim gambar",
        ),
        ("no picture for 12 s: the firmware sulks", "tidak ada gambar selama 12 dtk: the firmware sulks"),
        ("cam-1: Connection refused", "cam-1: sambungan ditolak"),
        ("modem.ok", "modem berfungsi"),
        (
            "modem.missing modem /dev/ttyUSB2 cannot be opened: gone; check plug and supply",
            "modem tidak ada: modem /dev/ttyUSB2 tidak dapat dibuka: gone; periksa steker dan catu daya",
        ),
        (
            "cpu_percent 97.5, disk_free_percent.footage 3",
            "beban prosesor (%): 97,5, ruang disk kosong (%) rekaman: 3",
        ),
        ("", ""),
        ("E_LENS_42", "E_LENS_42"),
        ("100% of %(seconds)s", "100% of %(seconds)s"),
        ("modem whistles", "modem whistles"),
    ],
)
def test_a_reason_is_worded_and_an_unknown_one_stays_as_it_came(text: str, read: str) -> None:
    assert in_indonesian(text) == read


def test_codes_are_words_and_unknown_ones_stay_as_they_came() -> None:
    said = [code(text, indonesian) for text in ("recorder", "gap.cam-1", "uplink.denied", "x.y", "new")]
    assert said == ["perekam", "perekaman cam-1", "broker menolak catatan", "x.y", "new"]


def judged() -> Iterator[str]:
    """Every reason a real judgement gives."""
    fresh = Judgement(Limits(down_after_s=5, frozen_after_s=10, black_after_s=10), begun_mono_s=0)
    yield fresh.wait(6).reason
    yield fresh.wait(6, "camera cam-1 sends no more pictures").reason
    black = frozen = fresh
    for at_s in range(0, 30, 2):
        black = black.see(Look(at_s, luma=1, spread=1, difference_mean=5, difference_worst=50))
        frozen = frozen.see(Look(at_s, luma=90, spread=40, difference_mean=0, difference_worst=0))
    assert (black.status, frozen.status) == ("black", "frozen")
    yield black.reason
    yield frozen.reason


def complaints(home: Path, errors: set[str]) -> Iterator[str]:
    """The text of every error of these kinds in the source under `home`, placeholders filled with 7."""
    for path in home.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in errors:
                yield from _text(call.args[-1])


def _text(argument: ast.expr) -> Iterator[str]:
    match argument:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=values):
            yield "".join(_filled(part) for part in values)


def _filled(part: ast.expr) -> str:
    match part:
        case ast.Constant(value=value):
            return str(value)
        case ast.FormattedValue(conversion=conversion) if conversion == ord("r"):
            return "'7'"
    return "7"


def unworded(texts: Iterator[str]) -> list[str]:
    return [text for text in texts if in_indonesian(text) == text]


def test_everything_a_node_says_of_a_camera_has_indonesian_words() -> None:
    assert len(list(complaints(_EDGE, _TOLD))) > 12
    assert unworded(judged()) == []
    assert unworded(complaints(_EDGE, _TOLD)) == []
    # The check is worth something: a sentence nobody put into words is found.
    assert unworded(iter(["the lens was stolen"])) == ["the lens was stolen"]


def told_of_a_modem() -> Iterator[str]:
    """What the checks and rungs of a modem say when something is wrong."""
    yield vitals.signal(9, 2).detail
    yield vitals.signal(None, 1).detail
    yield vitals.term(date(2026, 11, 1), date(2026, 11, 25)).detail
    yield vitals.inbox(is_blind=True).detail
    yield vitals.inbox(is_blind=False, hidden=1).detail
    yield vitals.balance(vitals.Balance(None, None), 1).detail
    yield vitals.loop_verdict(vitals.Loop(failures=2)).detail
    yield forwarding.verdict({0: "", 1: None, 2: None}, "+628111", set_again=False).detail
    yield forwarding.verdict({0: None, 1: None, 2: None}, "+628111", set_again=False).detail
    yield forwarding.verdict({0: None, 1: "+628111", 2: "+628111"}, "+628111", set_again=True).detail
    yield forwarding.refusal("+6281234567890").detail
    for rung in ladder.RUNGS:
        yield f"{rung}: without success: the modem is not on USB"
        yield f"well again after 12 s by {rung}"
    yield "power: power off for 5 s asked of siaga-health"
    yield "usb: usb device 1-1.2 taken away and given back"
    yield "1 delivery reports could not be read: ends after 5 octets, 8 are needed"
    yield "second: 3 texts handed to the second modem"
    yield "restart: AT+CFUN=1,1"
    for why in (
        "the modem restarted",
        "the trial call was refused: 3",
        "the other modem did not hear this one",
    ):
        yield f"audio not proved: {why}"
    yield "audio not proved: a caller was not heard: the modem gives no sound: +CPCMREG: 0"
    yield "the prompt /etc/siaga/prompt.wav is longer than 30 s"


def modem_codes() -> set[str]:
    """Every status code of a modem that the source of the node names."""
    texts = "".join(path.read_text() for path in _EDGE.rglob("*.py"))
    return set(re.findall(r'"(modem\.[a-z]+)"', texts)) - {"modem.sock"}


def test_everything_a_node_says_of_its_modem_has_indonesian_words() -> None:
    assert unworded(told_of_a_modem()) == []
    codes = modem_codes()
    assert {"modem.ladder", "modem.network", "modem.loop", "modem.locked", "modem.power"} <= codes
    assert [name for name in codes if code(name, indonesian) == name] == []
    assert in_indonesian("usb: without success: the modem is not on USB") == (
        "soket USB diputus-sambung: tidak berhasil: modem tidak terpasang di USB"
    )
    assert in_indonesian("expires 2026-11-20, -5 days left") == "berakhir 2026-11-20, sisa -5 hari"


def test_everything_the_console_refuses_has_indonesian_words() -> None:
    texts = [text for room in ("console", "domain", "store") for text in complaints(_HUB / room, _SHOWN)]
    assert len(texts) > 15
    assert unworded(iter(texts)) == []


def test_a_refusal_names_state_and_step_in_the_readers_words(city: City, login: Browse) -> None:
    number = city.sms("ada ular di dapur")
    client = login("operator")
    csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/bantuan").text)
    assert csrf
    form = {"csrf": csrf[1], "command": "close"}
    page = client.post(f"/kejadian/{number}/langkah", data=form).text
    assert "kejadian yang baru tidak dapat dipindahkan dengan &#39;Tutup&#39;" in page
    client.cookies.set("siaga_language", "en")
    page = client.post(f"/kejadian/{number}/langkah", data=form | {"command": "dismiss"}).text
    assert "needs a reason" in page


def test_each_sentence_reads_back_as_itself_in_english() -> None:
    for sentence in SENTENCES:
        text = re.sub(r"%\(\w+\)s", "7", sentence)
        assert as_english(text) == text


def test_the_pages_say_why_in_the_language_of_the_reader(city: City, login: Browse) -> None:
    state = CameraState(camera="cam-1", status="down", reason="no picture for 30 s")
    service = ServiceState(
        service="recorder", level="warn", code="gap.cam-1", detail="cam-1: No route to host"
    )
    sample = Health(uptime_s=9, level="warn", readings=[Reading(name="cpu_percent", value=97, level="warn")])
    city.store.write(lambda c: nodes.camera_state(c, "node-1", state, city.now_us))
    city.store.write(lambda c: nodes.service(c, "node-1", service, city.now_us))
    city.store.write(lambda c: nodes.health(c, "node-1", sample, city.now_us))
    client = login("operator")
    page = client.get("/perangkat").text
    for words in (
        "tidak ada gambar selama 30 dtk",
        "perekaman cam-1",
        "cam-1: alamat tidak dapat",
        "beban prosesor",
    ):
        assert words in page
    assert "tidak ada gambar selama 30 dtk" in client.get("/").text
    assert "no picture for" not in page + client.get("/").text
    client.cookies.set("siaga_language", "en")
    assert "no picture for 30 s" in client.get("/perangkat").text
