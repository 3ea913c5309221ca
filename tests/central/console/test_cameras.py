"""The page of a camera's footage: searched with the node away, written down, held from there."""

import re
from collections.abc import Callable

import httpx
import msgspec
import pytest
from sqlalchemy import Connection

from siaga_central.console.wording import form_moment
from siaga_central.domain.timeline import Anchor
from siaga_central.store import coverage, events, footage, holds, nodes, records, timings
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.recording import COVERAGE_KIND, CameraCoverage, Coverage, Segment
from support.console import City

Browse = Callable[[str], httpx.Client]
NODE, CAMERA, S = "node-1", "cam-1", 1_000_000
# The node recorded from two hours ago to one hour ago, with a break of a minute, and is silent since.
BEGAN_S, BROKE_S, AGAIN_S, ENDED_S = 7200, 5400, 5340, 3600


@pytest.fixture
def told(city: City) -> City:
    boot_ns = (city.now_us - 8000 * S) * 1000

    def cover(seq: int, at_s: int, since_s: int | None) -> Record:
        at_ns = (8000 - at_s) * 10**9
        at = Stamp(boot_seq=1, boot_id="b1", boot_ns=at_ns, wall_ns=boot_ns + at_ns, clock="synced")
        since_ms = None if since_s is None else (since_s - at_s) * 1000
        one = CameraCoverage(camera=CAMERA, upto_ago_ms=0, since_ago_ms=since_ms, kept_ago_s=7200 - at_s)
        body = Coverage(cameras=(one,), chain="c", links=seq, head=bytes(32))
        raw = msgspec.Raw(msgspec.json.encode(body))
        return Record(
            node=NODE, stream="recorder.bulk", epoch="0" * 16, seq=seq, kind=COVERAGE_KIND, at=at, body=raw
        )

    def commit(connection: Connection) -> None:
        timings.add_anchor(connection, NODE, "b1", Anchor(1, 0, boot_ns, "ntp", 10**7), 1)
        for record in (cover(1, BROKE_S, BEGAN_S), cover(2, ENDED_S, AGAIN_S)):
            records.keep(connection, (NODE, "recorder.bulk", "0" * 16), [record], 1)
            coverage.take(connection, record, msgspec.json.decode(record.body, type=Coverage), city.now_us)
        gap = Segment(
            event="gap",
            camera=CAMERA,
            segment="g1",
            start_wall_ns=(city.now_us - BROKE_S * S) * 1000,
            duration_ms=60_000,
            reason="the stream ended",
        )
        footage.note(connection, NODE, gap)
        nodes.heard(connection, NODE, city.now_us - ENDED_S * S)
        nodes.silent(connection, NODE, "test", city.now_us)

    city.store.write(commit)
    return city


def post(browser: httpx.Client, page: str, path: str, **form: str) -> httpx.Response:
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(page).text)
    assert found is not None
    return browser.post(path, data={**form, "csrf": found[1]})


def search(city: City, browser: httpx.Client, from_ago_s: int, to_ago_s: int, **more: str) -> httpx.Response:
    span = {
        "start": form_moment(city.now_us - from_ago_s * S),
        "end": form_moment(city.now_us - to_ago_s * S),
    }
    return post(browser, f"/kamera/{CAMERA}", f"/kamera/{CAMERA}/cari", **span, **more)


@pytest.mark.sop("R03", "R37", "R38")
@pytest.mark.parametrize(
    ("from_ago_s", "to_ago_s", "answer", "words"),
    [
        (7000, 6000, "found", "DITEMUKAN"),
        (5500, 5300, "partly", "aliran gambar berakhir"),
        (5395, 5345, "none", "TIDAK DITEMUKAN"),
        (3000, 2000, "unknown", "BELUM DIKETAHUI"),
    ],
)
def test_a_search_answers_with_the_node_away_and_is_written_down(
    told: City, login: Browse, from_ago_s: int, to_ago_s: int, answer: str, words: str
) -> None:
    page = search(told, login("operator"), from_ago_s, to_ago_s)
    assert page.status_code == 200, page.text
    assert re.fullmatch(rf"/kamera/{CAMERA}/pencarian/\d+", page.url.path)
    assert f'data-answer="{answer}"' in page.text
    assert words in page.text
    assert "Node terputus sejak" in page.text
    assert not re.search(r"<(img|video)", page.text)
    with told.store.read() as connection:
        [event] = [row for row in events.of(connection, CAMERA) if row.kind == "camera.searched"]
    assert event.actor == "operator"
    assert f'"answer":"{answer}"' in event.body


def test_an_answer_stays_as_it_was_written_down(told: City, login: Browse) -> None:
    browser = login("operator")
    page = search(told, browser, 7000, 6000)
    told.store.write(lambda c: c.exec_driver_sql("DELETE FROM stretch"))
    assert 'data-answer="found"' in browser.get(page.url.path).text
    assert 'data-answer="unknown"' in search(told, browser, 7000, 6000).text
    assert browser.get(f"/kamera/cam-2/pencarian/{page.url.path.rpartition('/')[2]}").status_code == 404


@pytest.mark.sop("R37")
def test_what_was_found_is_held_from_the_answer_for_an_incident_or_without(told: City, login: Browse) -> None:
    browser = login("operator")
    number = told.sms("Tolong kebakaran di nongsa")
    page = search(told, browser, 7000, 6000, kejadian=number)
    assert f'value="{number}"' in page.text
    span = re.findall(r'name="(start|end)" required value="([^"]+)"', page.text)
    form = {**dict(span), "reason": "permohonan"}
    post(browser, page.url.path, f"/kamera/{CAMERA}/tahan", kejadian=number, **form)
    post(browser, page.url.path, f"/kamera/{CAMERA}/tahan", kejadian="", **form)
    with told.store.read() as connection:
        found = [row for row in holds.of_camera(connection, CAMERA) if row.cause == "hand"]
    assert sorted(bool(row.incident) for row in found) == [False, True]
    assert {(row.end_us - row.start_us) // S for row in found} == {1000}
    clip = post(browser, page.url.path, f"/kamera/{CAMERA}/klip", kejadian=number, **form)
    assert clip.url.path == f"/kejadian/{number}"
    with told.store.read() as connection:
        assert [row.cause for row in holds.of_camera(connection, CAMERA)].count("clip") == 1


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"start": "kemarin", "end": "2026-11-24T14:00:00"}, "tanggal dan jam"),
        ({"start": "2026-11-24T14:00:00", "end": "2026-11-24T13:00:00"}, "paling lama 24 jam"),
        ({"start": "2036-11-24T14:00:00", "end": "2036-11-24T15:00:00"}, "masa depan"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused_in_words(
    told: City, login: Browse, form: dict[str, str], words: str
) -> None:
    page = post(login("operator"), f"/kamera/{CAMERA}", f"/kamera/{CAMERA}/cari", **form)
    assert page.status_code >= 400
    assert words in page.text
    assert told.events("camera.searched") == 0


def test_the_page_shows_what_there_is_and_what_is_not_told(told: City, login: Browse) -> None:
    text = login("operator").get(f"/kamera/{CAMERA}").text
    for words in (
        "Tersimpan sejak",
        "aliran gambar berakhir",
        "tidak terekam",
        "node terputus",
        "belum ada yang tertimpa",
    ):
        assert words in text
    assert [word for word in re.findall(r'data-piece="(\w+)"', text)] == [
        "unknown",
        "there",
        "missing",
        "there",
        "none",
    ]


def test_who_may_only_look_cannot_search(told: City, login: Browse) -> None:
    head = login("head")
    assert "Adakah rekaman?" not in head.get(f"/kamera/{CAMERA}").text
    span = {"start": "2026-11-24T14:00:00", "end": "2026-11-24T15:00:00"}
    assert post(head, "/bantuan", f"/kamera/{CAMERA}/cari", **span).status_code == 403
    assert login("ppid").get(f"/kamera/{CAMERA}").status_code == 403


def test_footage_that_comes_round_says_when_it_is_overwritten(told: City, login: Browse) -> None:
    """Retention has taken what was told before: the ring has come round."""
    told.store.write(lambda c: c.exec_driver_sql(f"UPDATE kept SET since_ns = since_ns + {2000 * 10**9}"))
    page = search(told, login("operator"), 5000, 4000)
    assert "tertimpa mulai kira-kira" in page.text
