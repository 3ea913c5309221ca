"""Whatever is done with a camera's footage or picture on the console is in the camera's log (SOP R03)."""

import re
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from siaga_central.console.wording import form_moment
from siaga_central.store import clips, events
from support.console import City
from support.film import film

Browse = Callable[[str], httpx.Client]
CAMERA = "cam-1"
# Pages of facts, without footage or picture; and forms in which a camera only says where something is.
NO_DEED = {
    ("GET", "/kamera/{camera}"),
    ("GET", "/kamera/{camera}/pencarian/{seq}"),
    ("GET", "/panggilan/baru"),
    ("POST", "/panggilan/baru"),
    ("POST", "/kejadian/{number}/tempat"),
}
COMING = "c2"  # a clip that is on its way
# route -> the event that it leaves in the camera's log
DEEDS = {
    ("GET", "/gambar/{camera}"): "camera.picture_viewed",
    ("GET", "/klip/{id}"): "camera.clip_viewed",
    ("GET", "/klip/{id}/sebagian"): "camera.clip_previewed",
    ("POST", "/kejadian/{number}/klip"): "camera.clip_asked",
    ("POST", "/kejadian/{number}/tahan"): "camera.hold_asked",
    ("POST", "/kamera/{camera}/cari"): "camera.searched",
    ("POST", "/kamera/{camera}/tahan"): "camera.hold_asked",
    ("POST", "/kamera/{camera}/klip"): "camera.clip_asked",
}


def touching(app: FastAPI) -> set[tuple[str, str]]:
    """Routes that are given a camera, or show a clip."""
    found = set()
    parts = [getattr(entry, "original_router", None) for entry in app.routes]
    for route in [route for part in parts if part is not None for route in part.routes]:
        if isinstance(route, APIRoute):
            given = route.dependant
            names = {one.name for one in (*given.path_params, *given.query_params, *given.body_params)}
            if "camera" in names or route.path.startswith("/klip"):
                found |= {(method, route.path) for method in route.methods or ()}
    return found


def logged(city: City) -> list[str]:
    with city.store.read() as connection:
        return [str(row.kind) for row in events.of(connection, CAMERA)]


@pytest.mark.sop("R03")
def test_every_route_that_touches_a_camera_is_known_here(city: City) -> None:
    assert touching(city.app()) == NO_DEED | set(DEEDS)


@pytest.mark.sop("R03")
@pytest.mark.parametrize("route", DEEDS, ids=" ".join)
def test_each_deed_is_in_the_cameras_log(city: City, login: Browse, route: tuple[str, str]) -> None:
    number, browser = city.sms("ada ular di dapur"), login("operator")
    (city.media_dir / "pictures" / f"{CAMERA}.jpg").write_bytes(b"picture")
    (city.media_dir / "clips" / "c1.mp4").write_bytes(b"clip")
    end_us = city.now_us - 60_000_000

    def furnish(connection: object) -> None:
        clips.ask(connection, "c1", CAMERA, end_us - 1, end_us, None, "uji", "rina", city.now_us)  # type: ignore[arg-type]
        clips.ready(connection, "c1", "00", 4, city.now_us)  # type: ignore[arg-type]
        clips.ask(connection, COMING, CAMERA, end_us - 1, end_us, None, "uji", "rina", city.now_us)  # type: ignore[arg-type]
        clips.progress(connection, COMING, 1, 2, city.now_us)  # type: ignore[arg-type]

    city.store.write(furnish)
    city.store.write(lambda c: c.exec_driver_sql("UPDATE camera SET picture_us = 1"))
    before = logged(city)
    method, path = route
    address = path.format(camera=CAMERA, id="c1", number=number)
    if path.endswith("/sebagian"):
        film(city.media_dir / "clips").rename(city.media_dir / "clips" / f"{COMING}.part")
        address = f"/klip/{COMING}/sebagian?upto=1000000"
    csrf = re.findall(r'name="csrf" value="([^"]+)"', browser.get("/bantuan").text)[0]
    span = {"start": form_moment(end_us - 60_000_000), "end": form_moment(end_us)}
    form = {"csrf": csrf, "camera": CAMERA, "reason": "uji", "kejadian": number, **span}
    answer = browser.get(address) if method == "GET" else browser.post(address, data=form)
    assert answer.status_code == 200, answer.text[:500]
    assert DEEDS[route] in logged(city)[len(before) :]
