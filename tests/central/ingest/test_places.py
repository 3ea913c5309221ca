"""Where an incident is comes from what citizens write, and cameras near there are held in the same commit."""

from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from siaga_central.domain.place import Spot
from siaga_central.ingest import contact
from siaga_central.ingest.policy import Policy
from siaga_central.store import events, holds, incidents, nodes
from siaga_central.store.schema import incident
from siaga_central.store.writer import Store
from siaga_core.service.clock import new_id
from siaga_core.wire.envelope import Record, Stamp
from siaga_core.wire.report import Report, Sms
from support.clock import FakeClock

AML = 'A"ML=1;lt=+1.12010;lg=+104.05000;rd=14;top=20220131171748;lc=68;pm=W;ml=71'


def say(store: Store, clock: FakeClock, id: str, text: str) -> Any:
    """An SMS comes; its incident."""
    number = "+6281270001234"
    given = Report(
        report_id=id,
        revision=1,
        source="sms",
        modem="one",
        reporter=number,
        reporter_e164=number,
        sms=Sms(text=text),
    )
    at = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=clock.wall_ns(), clock="synced")
    raw = msgspec.Raw(msgspec.json.encode(given))
    record = Record(
        node="gsm-001", stream="modem.urgent", epoch="0" * 16, seq=1, kind="report", at=at, body=raw
    )
    now_us = clock.wall_ns() // 1000
    store.write(lambda c: contact.take(c, record, given, now_us, lambda: new_id(clock), Policy()))
    with store.read() as connection:
        return connection.execute(select(incident)).one()


def kinds(store: Store, id: str) -> list[str]:
    with store.read() as connection:
        return [str(row.kind) for row in events.of(connection, id)]


@pytest.mark.parametrize(
    ("text", "source", "radius_m", "latitude"),
    [
        ("kebakaran di 1.1201,104.0500 cepat", "coordinates", 50, 1.1201),
        ("kecelakaan https://maps.example/?q=1.1201,104.0500", "coordinates", 50, 1.1201),
        (f"tolong {AML}", "phone", 14, 1.1201),
        ("kebakaran di Mega Mall", "listed", 600, 1.131),
        ("kebakaran di sagulung", "listed", 5000, 1.028),
        ("kebakaran rumah tetangga", "", None, None),
        ("kebakaran di -6.2001,106.8200", "coordinates", 50, -6.2001),  # kept, though it is Jakarta
    ],
)
def test_a_text_says_where_and_how_certainly(
    store: Store, clock: FakeClock, text: str, source: str, radius_m: float | None, latitude: float | None
) -> None:
    row = say(store, clock, "r1", text)
    assert (row.place_source, row.place_radius_m) == (source, radius_m)
    assert row.latitude == (None if latitude is None else pytest.approx(latitude))
    assert ("incident.located" in kinds(store, row.id)) == bool(source)


def test_a_pin_replaces_a_name_and_cameras_near_it_are_held_in_the_same_commit(
    store: Store, clock: FakeClock
) -> None:
    row = say(store, clock, "r1", "kebakaran di batam kota")
    with store.read() as connection:
        assert holds.of_incident(connection, row.id) == []
    row = say(store, clock, "r2", "posisi 1.1201,104.0500")
    assert (row.place_source, row.place_words) == ("coordinates", "1.1201,104.0500")
    with store.read() as connection:
        [hold] = holds.of_incident(connection, row.id)
    assert (hold.camera, hold.cause, hold.state) == ("cam-a", "incident", "asked")
    assert kinds(store, row.id).count("incident.located") == 2


def test_an_operators_word_stays_and_what_speaks_against_it_is_shown(store: Store, clock: FakeClock) -> None:
    row = say(store, clock, "r1", "kebakaran di Mega Mall")
    said = Spot(1.12, 104.05, 50, "operator", "1.12, 104.05")
    store.write(lambda c: incidents.locate(c, row.id, said, "rina", 1))
    row = say(store, clock, "r2", "bukan, di 1.2001,104.1000")
    assert (row.place_source, row.latitude) == ("operator", 1.12)
    assert "incident.place_offered" in kinds(store, row.id)


def test_what_fails_in_holding_costs_no_report(store: Store, clock: FakeClock) -> None:
    store.write(
        lambda c: c.exec_driver_sql(
            "INSERT INTO policy (name, valid_from_us, body, set_by, set_us) VALUES ('holds', 0, '{', 'x', 0)"
        )
    )
    row = say(store, clock, "r1", "kebakaran di 1.1201,104.0500")
    assert row.category == "KBR"


def register(store: Store, name: str, latitude: float) -> None:
    id = name.lower().replace(" ", "-")
    store.write(lambda c: nodes.add_camera(c, id, "btm-017", name, latitude, 104.0513, "admin", 1))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("KEBAKARAN di simpang  kara, tolong", "Simpang Kara"),
        ("laka dpn Simpang Kara Barat", "Simpang Kara Barat"),
        ("tolong ada kara di simpang", ""),
        ("gerbang roboh", ""),  # one word is no name: every gate would be meant
    ],
)
def test_a_text_that_names_a_camera_is_placed_where_it_stands(
    store: Store, clock: FakeClock, text: str, found: str
) -> None:
    for number, name in enumerate(("Simpang Kara", "Simpang Kara Barat", "Gerbang")):
        register(store, name, 1.1281 + number / 100)
    row = say(store, clock, "r1", text)
    assert row.place_words == found
    assert bool(found) == (row.latitude is not None)


def test_a_pin_is_believed_before_a_name(store: Store, clock: FakeClock) -> None:
    register(store, "Simpang Kara", 1.2)
    assert say(store, clock, "r1", "kebakaran simpang kara 1.1201,104.0500").latitude == 1.1201
