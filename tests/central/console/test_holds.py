"""Footage is held on the sheet of an incident, and let go of by a supervisor, with a reason."""

import re
from collections.abc import Callable

import httpx
import pytest

from siaga_central.store import holds, incidents
from siaga_central.store.incidents import Opening
from siaga_core.wire.recording import HoldState
from support.console import City

Browse = Callable[[str], httpx.Client]
CAMERA = "cam-1"


@pytest.fixture
def number(city: City) -> str:
    """An incident."""
    opening = Opening("KBR", "P1", "sms", "api")
    return city.store.write(lambda c: incidents.open_new(c, "i1", opening, "hub", city.now_us))


def post(browser: httpx.Client, page: str, path: str, **form: str) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return browser.post(path, data={**form, "csrf": found[1]})


def hold(city: City, browser: httpx.Client, number: str) -> str:
    span = {"start": "2026-11-24T14:00:00", "end": "2026-11-24T14:10:00"}
    page = f"/kejadian/{number}"
    answer = post(browser, page, f"{page}/tahan", camera=CAMERA, reason="kebakaran", **span)
    assert answer.status_code in (200, 303), answer.text
    with city.store.read() as connection:
        [row] = holds.wanted(connection)
    return str(row.id)


@pytest.mark.sop("R37")
def test_an_operator_holds_footage_and_reads_what_the_node_has(
    city: City, login: Browse, number: str
) -> None:
    browser = login("operator")
    id = hold(city, browser, number)
    assert f'data-hold="{id}" data-hold-state="asked"' in browser.get(f"/kejadian/{number}").text
    with city.store.read() as connection:
        [row] = holds.wanted(connection)
    gap_ns = (row.start_us + 100_000_000) * 1000
    said = HoldState(
        id=id,
        state="held",
        start_wall_ns=row.start_us * 1000,
        end_wall_ns=row.end_us * 1000,
        size_bytes=250_000_000,
        missing=((gap_ns, gap_ns + 4 * 10**9),),
    )
    city.store.write(lambda c: holds.settle(c, row.node, said, city.now_us))
    for path in (f"/kejadian/{number}", "/rekaman-ditahan"):
        text = browser.get(path).text
        assert "ditahan" in text
        assert "250,0 MB" in text
        assert "tidak ada" in text


def test_only_a_supervisor_lets_go_and_says_why(city: City, login: Browse, number: str) -> None:
    operator, supervisor = login("operator"), login("supervisor")
    id = hold(city, operator, number)
    path = f"/rekaman-ditahan/{id}/lepas"
    assert path not in operator.get("/rekaman-ditahan").text
    assert post(operator, f"/kejadian/{number}", path, reason="coba").status_code == 403
    assert post(supervisor, "/rekaman-ditahan", path, reason=" ").status_code >= 400
    with city.store.read() as connection:
        assert len(holds.wanted(connection)) == 1
    post(supervisor, "/rekaman-ditahan", path, reason="permohonan ditolak")
    with city.store.read() as connection:
        assert len(holds.wanted(connection)) == 0
    assert "dilepas oleh" in operator.get(f"/kejadian/{number}").text


def test_a_span_that_makes_no_sense_is_refused_in_words(city: City, login: Browse, number: str) -> None:
    page = f"/kejadian/{number}"
    span = {"start": "2026-11-24T14:00:00", "end": "2026-11-24T13:00:00"}
    answer = post(login("operator"), page, f"{page}/tahan", camera=CAMERA, reason="x", **span)
    assert answer.status_code >= 400
    assert "paling lama 12 jam" in answer.text
