"""The quarantine page shows each refused message whole enough to find its sender, and how many for what."""

import html
import re
from collections.abc import Callable

import httpx
import pytest

from siaga_central.console.refusal import REASONS, refusal
from siaga_central.console.wording import catalogue
from siaga_central.ingest.decision import Refused, decide
from siaga_central.store import records
from support.clock import FakeClock
from support.console import City

Browse = Callable[[str], httpx.Client]
_HERE = "siaga/v1/up/node-1/rec/health.bulk"


def refuse(city: City, topic: str, payload: bytes) -> str:
    """Refuse a message as ingest does; its reason."""
    found = decide(topic, payload, {"node-1", "gsm-1"}, lambda _node, _key_id: None)
    assert isinstance(found, Refused)
    city.store.write(lambda c: records.refuse(c, topic, payload, found.reason, found.detail, city.now_us))
    return found.reason


def shown(page: str) -> list[str]:
    """The text of each refused message on the page."""
    articles = re.findall(r'<article class="contact refused".*?</article>', page, re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", " ", article)) for article in articles]


def test_each_refused_message_shows_when_from_whom_why_how_large_and_what(
    city: City, login: Browse, clock: FakeClock
) -> None:
    refuse(city, _HERE, b'{"v":1, broken')
    clock.advance(61)
    refuse(city, "siaga/v1/up/stranger/rec/health.bulk", b"\x00\xff<b>hello</b>\n")
    newest, oldest = shown(login("operator").get("/karantina").text)
    for words in ("tanpa segel", "node-1", _HERE, '{"v":1, broken', "14 B", "7b 22 76 22"):
        assert words in oldest
    for words in ("node tidak terdaftar", "Node:  stranger", "·�<b>hello</b>·", "15 B", "00 ff 3c 62"):
        assert words in newest
    times = [re.search(r"\d\d-\d\d-\d{4} (\S+) WIB", one) for one in (newest, oldest)]
    assert times[0]
    assert times[1]
    assert times[0][1] != times[1][1]


def test_the_page_counts_by_reason_and_shows_one_reason_alone(city: City, login: Browse) -> None:
    for number in range(60):
        refuse(city, _HERE, b"x%d" % number)
    refuse(city, "siaga/v1/elsewhere", b"")
    client = login("operator")
    page = client.get("/karantina").text
    counts = dict(re.findall(r'data-reason="([^"]+)" data-count="(\d+)"', page))
    assert counts == {"seal": "60", "topic": "1"}
    assert (len(shown(page)), "50/61" in page) == (50, True)
    alone = client.get("/karantina?reason=topic").text
    assert (len(shown(alone)), "1/1" in alone) == (1, True)
    with city.store.read() as connection:
        assert records.refused(connection) == {"seal": 60, "topic": 1}


def test_a_large_message_is_cut_and_says_how_much_is_left_out(city: City, login: Browse) -> None:
    refuse(city, _HERE, b"a" * 300_000)
    (only,) = shown(login("operator").get("/karantina").text)
    assert ("300,0 kB" in only, "299,7 kB lagi tidak ditampilkan" in only, "a" * 257 in only) == (
        True,
        True,
        False,
    )


@pytest.mark.parametrize("payload", [b"", b"\x80", bytes(range(256)), b"\xe2\x80\xaegnp"])
def test_no_bytes_break_the_preview(city: City, payload: bytes) -> None:
    city.store.write(lambda c: records.refuse(c, "??", payload, "topic", "", city.now_us))
    with city.store.read() as connection:
        (row,) = records.last_refused(connection)
    found = refusal(row)
    assert found.text.isprintable()
    assert bytes.fromhex("".join(found.hex)) == payload
    assert (found.node, found.left_out_bytes) == ("", 0)


def test_every_reason_has_indonesian_words() -> None:
    indonesian = catalogue("id").gettext
    assert [reason for reason, words in REASONS.items() if indonesian(words) == words] == []


def test_the_technician_sees_it_and_the_ppid_does_not(login: Browse) -> None:
    assert [login(role).get("/karantina").status_code for role in ("technician", "ppid")] == [200, 403]
