"""The sheet of an incident: texting a phone on duty, its answer, and what reporters are told."""

import json
import re
from collections.abc import Callable
from types import SimpleNamespace

import httpx
import pytest

from siaga_central.console import thread
from siaga_central.domain import texts
from siaga_central.store import assignments, roster
from siaga_central.store import schema as t
from support.console import City

Browse = Callable[[str], httpx.Client]
TEAM = "+628111111111"


def post(client: httpx.Client, path: str, **fields: str) -> int:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/bantuan").text)
    assert found
    return client.post(path, data={"csrf": found[1], **fields}, follow_redirects=False).status_code


def test_a_phone_on_duty_is_texted_from_the_sheet_and_its_answer_shows(city: City, login: Browse) -> None:
    city.store.write(lambda c: roster.add_phone(c, TEAM, "Regu A", "test", city.now_us))
    number = city.sms("Kebakaran di Nagoya")
    client = login("operator")
    assert "Regu A" in client.get(f"/kejadian/{number}").text
    assert post(client, f"/kejadian/{number}/petugas", to="+628999999999") == 422
    assert post(client, f"/kejadian/{number}/petugas", to=TEAM) == 303
    page = client.get(f"/kejadian/{number}").text
    assert "sudah di-SMS, belum dijawab" in page
    with city.store.read() as connection:
        row = connection.execute(t.assignment.select()).one()
    assert row.code in page
    city.store.write(
        lambda c: assignments.answer(c, row, "accepted", f"TERIMA {row.code}", city.now_us, city.now_us)
    )
    page = client.get(f"/kejadian/{number}").text
    assert "diterima regu" in page
    assert f"TERIMA {row.code}" in page


@pytest.mark.parametrize(
    ("late_s", "said"),
    [
        (0, [("code", "4F7K")]),
        (90, [("code", "4F7K"), ("happened", "18.05.10")]),
        (86_400, [("code", "4F7K"), ("happened", "17-11-2026 18.06.40 WIB")]),
    ],
)
def test_what_happened_without_the_hub_has_its_own_time_and_nobody_is_named_twice(
    late_s: int, said: list[tuple[str, str]]
) -> None:
    told_us = 1_795_000_000_000_000
    body = {"name": "Regu A", "code": "4F7K", "at_us": told_us - late_s * 10**6, "while_away": True}
    event = SimpleNamespace(at_us=told_us, kind="dispatch.accepted", actor="Regu A", body=json.dumps(body))
    assert thread.moment(event).details == said


def test_reporters_are_told_when_it_is_being_handled(city: City, login: Browse) -> None:
    number = city.sms("Kebakaran di Nagoya")
    client = login("operator")
    assert post(client, f"/kejadian/{number}/langkah", command="handle") == 303
    assert texts.HANDLED in client.get(f"/kejadian/{number}").text


def test_who_may_not_handle_incidents_texts_nobody(city: City, login: Browse) -> None:
    city.store.write(lambda c: roster.add_phone(c, TEAM, "Regu A", "test", city.now_us))
    number = city.sms("Kebakaran di Nagoya")
    assert post(login("head"), f"/kejadian/{number}/petugas", to=TEAM) == 403
