"""What an operator reads of a moment contains what is known of it, and says when that is little."""

import random
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import httpx
import pytest
from sqlalchemy import select

from siaga_central.console import wording
from siaga_central.store import timings
from siaga_central.store.schema import report
from support.console import City

Browse = Callable[[str], httpx.Client]
_S = 10**9
# 2026-11-23 14:03:07 WIB
_AT_NS = int(datetime(2026, 11, 23, 14, 3, 7, tzinfo=wording.WIB).timestamp()) * _S
_ID, _EN = wording.catalogue("id").gettext, wording.catalogue("en").gettext


@pytest.mark.parametrize(
    ("low_ns", "high_ns", "indonesian", "english"),
    [
        (
            _AT_NS - 4 * _S // 10,
            _AT_NS + 4 * _S // 10,
            "23-11-2026 14.03.07 WIB ±0,4 dtk",
            "23-11-2026 14.03.07 WIB ±0,4 s",
        ),
        (
            _AT_NS - 30 * _S,
            _AT_NS + 30 * _S,
            "23-11-2026 14.03.07 WIB ±30,0 dtk",
            "23-11-2026 14.03.07 WIB ±30,0 s",
        ),
        (
            _AT_NS,
            _AT_NS + 3600 * _S,
            "tidak pasti: antara 23-11-2026 14.03.07 WIB dan 23-11-2026 15.03.07 WIB",
            "uncertain: between 23-11-2026 14.03.07 WIB and 23-11-2026 15.03.07 WIB",
        ),
    ],
)
def test_an_interval_is_a_time_or_two(low_ns: int, high_ns: int, indonesian: str, english: str) -> None:
    assert wording.happened(low_ns, high_ns, _ID) == indonesian
    assert wording.happened(low_ns, high_ns, _EN) == english


def test_what_is_shown_never_claims_more_than_is_known() -> None:
    rng = random.Random(1)
    for _ in range(2000):
        low_ns = _AT_NS + rng.randrange(3600 * _S)
        high_ns = low_ns + rng.choice([0, rng.randrange(_S), rng.randrange(120 * _S), 10**6])
        shown_low, shown_high = _read(wording.happened(low_ns, high_ns, _ID))
        assert shown_low <= low_ns
        assert high_ns <= shown_high
        assert shown_high - shown_low <= high_ns - low_ns + 2.2 * _S


def _read(text: str) -> tuple[float, float]:
    """The interval that a reader understands."""
    found = re.findall(r"(\d\d-\d\d-\d{4} \d\d\.\d\d\.\d\d) WIB", text)
    moments = [datetime.strptime(one + "+0700", "%d-%m-%Y %H.%M.%S%z") for one in found]
    if len(moments) == 2:
        return moments[0].timestamp() * _S, moments[1].timestamp() * _S
    reach = timedelta(seconds=float(text.partition("±")[2].split()[0].replace(",", ".")))
    # Half a microsecond of binary seconds is not what this is about.
    return (moments[0] - reach).timestamp() * _S - 1000, (moments[0] + reach).timestamp() * _S + 1000


def _correct(city: City, low_ns: int, high_ns: int) -> None:
    with city.store.read() as connection:
        report_id = connection.execute(select(report.c.id)).scalar_one()
    values = {"node": "gsm-1", "stream": "modem.urgent", "epoch": "0" * 16, "seq": 1, "subject": report_id}
    boot = {"boot_id": "b", "boot_seq": 1, "boot_ns": 1, "source": "ntp", "made_us": city.now_us}
    row = values | boot | {"low_ns": low_ns, "high_ns": high_ns}
    city.store.write(lambda connection: timings.correct(connection, [row]))


@pytest.mark.parametrize(
    ("language", "label", "unit"), [("id", "warga kirim", "dtk"), ("en", "citizen sent it", "s")]
)
def test_the_sheet_of_an_incident_shows_the_newest_that_is_known(
    city: City, login: Browse, language: str, label: str, unit: str
) -> None:
    number = city.sms("kebakaran di nongsa")
    client = login("operator")
    client.cookies.set("siaga_language", language)
    assert f"{label}: {wording.moment(city.now_us)}" in client.get(f"/kejadian/{number}").text
    _correct(city, _AT_NS - 3600 * _S, _AT_NS)
    sheet = client.get(f"/kejadian/{number}").text
    assert ("tidak pasti: antara" in sheet, "uncertain: between" in sheet) == (
        language == "id",
        language == "en",
    )
    _correct(city, _AT_NS - 4 * _S // 10, _AT_NS + 4 * _S // 10)
    assert f"{label}: 23-11-2026 14.03.07 WIB ±0,4 {unit}" in client.get(f"/kejadian/{number}").text


@pytest.mark.parametrize(
    ("language", "sent", "had"),
    [("id", "warga kirim", "pusat terima"), ("en", "citizen sent it", "the hub had it")],
)
def test_a_report_that_waited_for_the_link_shows_both_times_and_ages_from_the_citizens(
    city: City, login: Browse, language: str, sent: str, had: str
) -> None:
    hour_us = 3600 * 1_000_000
    network_us, sent_us = city.now_us - 5 * hour_us, city.now_us - 3 * hour_us
    stamp = datetime.fromtimestamp(network_us / 1e6, wording.WIB).isoformat()
    number = city.sms("kebakaran di nongsa", sent_at=stamp)
    _correct(city, sent_us * 1000, sent_us * 1000)
    client = login("operator")
    client.cookies.set("siaga_language", language)
    row = client.get("/").text
    assert f'{sent} <time data-age="{sent_us // 1000}"' in row
    assert f'▲ {had} <time data-age="{city.now_us // 1000}"' in row
    sheet = client.get(f"/kejadian/{number}").text
    assert f'{sent} <time data-age="{sent_us // 1000}"' in sheet
    assert f"{had}: {wording.moment(city.now_us)}" in sheet
    assert f": {wording.moment(network_us)}" in sheet  # the modem had been off
