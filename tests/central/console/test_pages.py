"""The pages, called as a browser calls them."""

import json
import re
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from siaga_central.console.access import Needs, Public
from siaga_central.console.wording import clock_time
from siaga_central.store import clips, incidents, pictures, users
from siaga_core.wire.report import Call, CallRecording, SmsPart
from support.clock import FakeClock
from support.console import City

Browse = Callable[[str], httpx.Client]


def csrf_of(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/bantuan").text)
    assert found
    return found[1]


def doors(route: APIRoute) -> list[object]:
    return [d.call for d in route.dependant.dependencies if isinstance(d.call, Needs | Public)]


def routes_of(app: FastAPI) -> list[APIRoute]:
    # FastAPI keeps an included router as one entry of its own.
    parts = [getattr(entry, "original_router", None) for entry in app.routes]
    nested = [route for part in parts if part is not None for route in part.routes]
    return [route for route in [*app.routes, *nested] if isinstance(route, APIRoute)]


def without_door(app: FastAPI) -> list[str]:
    return [route.path for route in routes_of(app) if len(doors(route)) != 1]


def test_every_route_has_exactly_one_door(city: City) -> None:
    app = city.app()
    assert len(routes_of(app)) > 15
    assert without_door(app) == []
    # The check is worth something: a route that forgot its door is found.
    app.get("/forgotten")(lambda: "everything")
    assert without_door(app) == ["/forgotten"]


def test_every_route_that_is_not_public_sends_strangers_away(city: City, stranger: httpx.Client) -> None:
    for route in routes_of(city.app()):
        if not isinstance(doors(route)[0], Public):
            path = re.sub(r"\{.*?\}", "x", route.path)
            method = "GET" if "GET" in (route.methods or ()) else "POST"
            answer = stranger.request(method, path, follow_redirects=False)
            assert answer.headers.get("location") == "/masuk" or answer.status_code == 401, path


@pytest.mark.parametrize(
    "path", ["/", "/panggilan-balik", "/perangkat", "/karantina", "/panggilan/baru", "/bantuan"]
)
@pytest.mark.parametrize("language", ["id", "en"])
def test_pages_are_made_in_both_languages(city: City, login: Browse, path: str, language: str) -> None:
    city.sms("kebakaran di nongsa")
    city.call("+628127000999")
    city.call(None)
    client = login("operator")
    client.cookies.set("siaga_language", language)
    answer = client.get(path)
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text


def test_a_changing_request_without_the_forms_token_changes_nothing(city: City, login: Browse) -> None:
    number = city.sms("kebakaran di nongsa")
    client = login("operator")
    path = f"/kejadian/{number}/ambil"
    assert client.post(path).status_code == 403
    assert client.post(path, data={"csrf": "wrong"}).status_code == 403
    right = {"csrf": csrf_of(client)}
    assert client.post(path, data=right, headers={"origin": "http://evil.example"}).status_code == 403
    assert client.post(path, data=right, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert city.events("incident.taken") == 0
    assert client.post(path, data=right).status_code == 200
    assert city.events("incident.taken") == 1


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "</textarea><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\u202egnp.exe",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_reporters_write_never_becomes_markup(city: City, login: Browse, text: str) -> None:
    number = city.sms(text)
    client = login("operator")
    for path in ("/", f"/kejadian/{number}", f"/kejadian/{number}/isi"):
        page = client.get(path).text
        assert not re.search(r"<(script>|img src=x|svg/)|<[a-z]+[^<>]* on[a-z]+=", page), path
        assert "49{" not in page
        assert "script-src 'self'" in client.get(path).headers["content-security-policy"]


@pytest.mark.sop("R03")
def test_looking_at_a_picture_is_on_record_and_stale_ones_say_so(
    city: City, login: Browse, clock: FakeClock
) -> None:
    number = city.sms("kebakaran di nongsa")
    client = login("operator")
    (city.media_dir / "pictures" / "cam-1.jpg").write_bytes(b"\xff\xd8 jpeg")
    assert client.get("/gambar/cam-1").status_code == 404
    city.store.write(lambda c: pictures.note(c, "cam-1", city.now_us, "0" * 64, city.now_us))
    assert 'class="stale"' not in client.get(f"/kejadian/{number}").text
    clock.advance(600)
    sheet = client.get(f"/kejadian/{number}").text
    assert ('class="stale"' in sheet, '<b class="warn old">LAMA<' in sheet, "10 mnt" in sheet) == (
        True,
        True,
        True,
    )
    answer = client.get("/gambar/cam-1")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert city.events("camera.picture_viewed") == 1


@pytest.mark.sop("R28")
@pytest.mark.parametrize(("ticked", "tight"), [({}, False), ({"tight": "true"}, True)])
def test_a_clip_that_leaves_the_house_is_asked_for_without_hidden_pictures(
    city: City, login: Browse, ticked: dict[str, str], tight: bool
) -> None:
    number, client = city.sms("kebakaran di nongsa"), login("operator")
    span = {"start": "2026-11-18T17:00:00", "end": "2026-11-18T17:01:00"}
    form = {"csrf": csrf_of(client), "camera": "cam-1", "reason": "api", **span, **ticked}
    client.post(f"/kejadian/{number}/klip", data=form)
    with city.store.read() as connection:
        [order] = connection.exec_driver_sql("SELECT payload FROM command").scalars()
    assert json.loads(order)["order"]["tight"] is tight


@pytest.mark.sop("R03")
def test_a_clip_plays_in_ranges_and_each_session_that_looks_is_on_record(city: City, login: Browse) -> None:
    number = city.sms("kebakaran di nongsa")
    client = login("operator")
    form = {"csrf": csrf_of(client), "camera": "cam-1", "reason": "api", "start": "2026-11-18T17:00:00"}
    assert (
        client.post(f"/kejadian/{number}/klip", data=form | {"end": "2026-11-18T17:01:00"}).status_code == 200
    )
    with city.store.read() as connection:
        clip = str(connection.exec_driver_sql("SELECT id FROM clip").scalar_one())
    assert city.events("camera.clip_asked") == 1
    assert client.get(f"/klip/{clip}").status_code == 404
    (city.media_dir / "clips" / f"{clip}.mp4").write_bytes(bytes(range(100)))
    city.store.write(lambda c: clips.ready(c, clip, "a" * 64, 100, city.now_us))
    # A player that begins in the middle has looked too.
    part = client.get(f"/klip/{clip}", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert city.events("clip.viewed") == 1
    client.get(f"/klip/{clip}", headers={"range": "bytes=20-29"})
    assert city.events("clip.viewed") == 1
    assert client.get(f"/klip/{clip}").status_code == 200
    assert city.events("camera.clip_viewed") == 2
    assert client.get(f"/klip/{clip}", headers={"sec-fetch-dest": "document"}).status_code == 403
    assert login("technician").get(f"/klip/{clip}").status_code == 403


def test_an_answer_goes_to_a_reporter_of_the_incident_and_to_nobody_else(city: City, login: Browse) -> None:
    number = city.sms("kebakaran di nongsa", "+6281270001234")
    client = login("operator")
    form = {"csrf": csrf_of(client), "text": "Petugas menuju lokasi."}
    path = f"/kejadian/{number}/jawab"
    assert client.post(path, data=form | {"to": "+628999"}).status_code == 422
    assert client.post(path, data=form | {"to": "+6281270001234", "text": "x" * 161}).status_code == 422
    assert city.events("reply.written") == 0
    sheet = client.post(path, data=form | {"to": "+6281270001234"}).text
    assert ("Petugas menuju lokasi." in sheet, 'data-reply-state="QUEUED"' in sheet) == (True, True)
    with city.store.read() as connection:
        assert connection.exec_driver_sql("SELECT node, kind FROM command").one() == ("gsm-1", "sms.send")


def test_the_life_of_an_incident_by_its_buttons(city: City, login: Browse) -> None:
    number = city.sms("ada ular di dapur")
    client = login("operator")
    form = {"csrf": csrf_of(client)}
    path = f"/kejadian/{number}"
    judged = form | {"category": "HWN", "priority": "P3", "place": "Blok A <1>", "reason": ""}
    assert client.post(f"{path}/golongan", data=judged).status_code == 200
    assert client.post(f"{path}/catatan", data=form | {"text": "sudah ditelepon"}).status_code == 200
    assert client.post(f"{path}/langkah", data=form | {"command": "dismiss"}).status_code == 409
    assert client.post(f"{path}/langkah", data=form | {"command": "close"}).status_code == 409
    for command in ("verify", "handle", "finish", "close"):
        assert client.post(f"{path}/langkah", data=form | {"command": command}).status_code == 200
    sheet = client.get(path).text
    assert ("sudah ditelepon" in sheet, "Blok A &lt;1&gt;" in sheet, "ditutup" in sheet) == (True, True, True)
    assert "+6281270001234" not in sheet  # a closed incident shows no whole number


def test_a_broken_sms_shows_what_is_missing_and_what_nobody_could_read(city: City, login: Browse) -> None:
    parts = [SmsPart(number=1, pdu="0791AB")]
    number = city.sms("tolong […2/3]", parts_total=3, parts=parts, undecodable="unknown alphabet")
    sheet = login("operator").get(f"/kejadian/{number}").text
    assert ("1 dari 3 bagian sudah tiba" in sheet, "0791AB" in sheet, "unknown alphabet" in sheet) == (
        True,
        True,
        True,
    )


@pytest.mark.sop("R01")
def test_a_call_entered_by_hand_is_an_incident_that_its_operator_has(city: City, login: Browse) -> None:
    client = login("operator")
    form = {"csrf": csrf_of(client), "summary": "Rumah terbakar", "place": "Batu Aji"}
    answer = client.post("/panggilan/baru", data=form | {"category": "KBR", "priority": "P1"})
    assert (answer.status_code, "Rumah terbakar" in answer.text) == (200, True)
    assert (city.events("incident.call_entered"), city.events("incident.taken")) == (1, 1)


def test_the_sheet_names_the_recording_of_a_call_and_that_nobody_has_heard_it(
    city: City, login: Browse
) -> None:
    kept = CallRecording(file="01K.wav", sha256="cd" * 32, duration_s=27.3, is_silent=True)
    number = city.call("+628111", Call(state="ended", rings=3, prompt="played", recording=kept))
    mute = city.call("+628222", Call(state="ended", rings=3, prompt="mute"))
    client = login("operator")
    page = client.get(f"/kejadian/{number}").text
    for words in (
        "dijawab pesan suara rekaman",
        "belum didengar siapa pun",
        "rekaman di simpul",
        "01K.wav",
        "27 s",
    ):
        assert words in page
    assert "cd" * 32 in page
    assert "tidak ada suara, langsung ditutup" in client.get(f"/kejadian/{mute}").text
    assert len(re.findall(r'action="/panggilan-balik/', client.get("/panggilan-balik").text)) >= 2


def test_a_row_shows_everything_its_reporter_said_in_order_with_times_and_marks_the_newest(
    city: City, login: Browse, clock: FakeClock
) -> None:
    client = login("operator")
    said = [f"kebakaran, kabar ke-{number} " + "x" * 300 for number in range(3)]
    for text in said:
        city.sms(text)
        clock.advance(60)
    row = client.get("/").text
    assert [row.find(text) for text in said] == sorted(row.find(text) for text in said)
    assert min(row.find(text) for text in said) > 0, "all of each"
    for number in (3, 2, 1):
        assert f">{clock_time(city.now_us - number * 60_000_000)}</time>" in row
    assert re.findall(r"kabar ke-(\d) x+</bdi> <b class=\"warn\">◀ terbaru</b>", row) == ["2"]
    for number in range(3, 12):
        clock.advance(1)
        city.sms(f"kabar ke-{number}.")
    row = client.get("/").text
    assert "4 yang lebih awal ada di lembar kejadian." in row
    assert [f"kabar ke-{number}." in row for number in (3, 4, 11)] == [False, True, True]


@pytest.mark.parametrize("path", ["/", "/kejadian/{number}", "/kejadian/{number}/isi"])
def test_letters_that_turn_a_text_are_shown_and_turn_nothing(city: City, login: Browse, path: str) -> None:
    turned = "kebakaran di \u202eagognaN\u2066 jalan\u200b \x1b satu"
    number = city.sms(turned)
    row_id = "SELECT id FROM incident WHERE number = ?"
    with city.store.read() as connection:
        id = str(connection.exec_driver_sql(row_id, (number,)).scalar_one())
        assert connection.exec_driver_sql("SELECT text FROM report").scalar_one() == turned, "kept as it came"
    classified = ("KBR", "P1", "gang \u202enapmas", "operator", city.now_us)
    city.store.write(lambda c: incidents.classify(c, id, *classified))
    city.store.write(lambda c: incidents.note(c, id, "kata warga \u202enaanak", "operator", city.now_us))
    page = login("operator").get(path.format(number=number)).text
    assert re.findall("[\u202a-\u202e\u2066-\u2069\u200b\x1b]", page) == []
    assert "<bdi>kebakaran di ⟦U+202E⟧agognaN⟦U+2066⟧ jalan⟦U+200B⟧ ⟦U+001B⟧ satu</bdi>" in page
    assert "<bdi>gang ⟦U+202E⟧napmas</bdi>" in page


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/daftar-jaga/hp", httpx.codes.FORBIDDEN),
        ("GET", "/kejadian/K-20260101-0001", httpx.codes.NOT_FOUND),
        ("GET", "/nowhere", httpx.codes.NOT_FOUND),
    ],
)
def test_a_refusal_has_the_frame_of_whoever_is_logged_in(
    login: Browse, stranger: httpx.Client, method: str, path: str, status: int
) -> None:
    client = login("operator")
    client.cookies.set("siaga_language", "en")
    refused = client.request(method, path, data={"csrf": csrf_of(client)} if method == "POST" else None)
    assert refused.status_code == status
    assert 'data-live="yes"' in refused.text
    assert "Nama operator · log out" in refused.text
    assert 'href="/daftar-jaga"' in refused.text
    assert "This was not done" in refused.text
    assert 'data-live="no"' in stranger.get("/nowhere").text


def test_a_call_back_nobody_took_stays_and_comes_up_again_until_somebody_closes_it_with_a_reason(
    city: City, login: Browse, clock: FakeClock
) -> None:
    city.call("+6281270001234")
    client = login("operator")
    found = re.search(r'action="(/panggilan-balik/[^"]+)"', client.get("/panggilan-balik").text)
    assert found
    path, csrf = found[1], csrf_of(client)
    for count in (1, 2):
        assert client.post(path, data={"csrf": csrf, "state": "noanswer"}).status_code == httpx.codes.OK
        page = client.get("/panggilan-balik").text
        assert f"{count}× ditelepon balik, tidak diangkat" in page
        assert "lagi pukul" in page
        assert "telepon lagi sekarang" not in page
        clock.advance(301)
        assert "telepon lagi sekarang" in client.get("/panggilan-balik").text
        assert "data-due" in client.get("/").text
    without = client.post(path, data={"csrf": csrf, "state": "closed", "reason": "  "})
    assert without.status_code == httpx.codes.CONFLICT
    assert "memerlukan alasan" in without.text
    closed = client.post(path, data={"csrf": csrf, "state": "closed", "reason": "sudah datang sendiri"})
    assert closed.status_code == httpx.codes.OK
    assert f'action="{path}"' not in client.get("/panggilan-balik").text
    sheet = client.get(re.search(r"/kejadian/K-[0-9-]+", client.get("/panggilan-balik").text)[0]).text  # type: ignore[index]
    assert sheet.count("<b>ditelepon balik, tidak diangkat</b>") == 2
    assert "sudah datang sendiri" in sheet
    late = client.post(path, data={"csrf": csrf, "state": "noanswer"})
    assert late.status_code == httpx.codes.CONFLICT


def test_a_callback_is_settled_and_leaves_the_list(city: City, login: Browse) -> None:
    city.call(None)
    client = login("operator")
    page = client.get("/panggilan-balik").text
    assert "nomor disembunyikan" in page
    id = re.search(r'action="/panggilan-balik/([^"]+)"', page)
    assert id
    assert (
        client.post(f"/panggilan-balik/{id[1]}", data={"csrf": csrf_of(client), "state": "prank"}).status_code
        == 200
    )
    assert city.events("callback.settled") == 1


@pytest.mark.parametrize(
    ("role", "sees"),
    [
        ("operator", {"act", "run", "callback", "signal"}),
        ("head", {"act", "run", "signal"}),
        ("technician", {"signal"}),
        ("ppid", set()),
    ],
)
def test_each_role_sees_its_own_lanes(city: City, login: Browse, role: str, sees: set[str]) -> None:
    city.sms("kebakaran di nongsa")
    page = login(role).get("/").text
    assert set(re.findall(r'data-lane="(\w+)"', page)) == sees
    assert ("kebakaran di nongsa" in page) == ("act" in sees)


def test_five_wrong_passwords_make_the_sixth_wait(stranger: httpx.Client, clock: FakeClock) -> None:
    client = stranger
    form = {"name": "nobody-at-all", "password": "guess"}
    assert [client.post("/masuk", data=form).status_code for _ in range(6)] == [401] * 5 + [429]
    clock.advance(61)
    assert client.post("/masuk", data=form).status_code == 401


def test_a_closed_account_is_out_at_once(city: City, login: Browse) -> None:
    client = login("operator")
    city.store.write(lambda c: users.disable(c, "operator", "admin", city.now_us))
    assert client.get("/", follow_redirects=False).headers["location"] == "/masuk"
