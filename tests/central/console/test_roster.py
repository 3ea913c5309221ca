"""The duty roster's page: who changes it, what each node has of it, trial texts, times of a node alone."""

import re
from collections.abc import Callable

import httpx
import msgspec
import pytest

from siaga_central.store import commands, duty_texts, fates, modems, nodes, roster, wants
from siaga_central.store import schema as t
from siaga_core.wire.health import ServiceState
from siaga_core.wire.want import WantState
from support.console import City

Browse = Callable[[str], httpx.Client]
TEAM, OTHER, OURS = "+628111111111", "+628122222222", "+628111000112"
PAGE = "/daftar-jaga"


def post(client: httpx.Client, deed: str, **fields: str) -> int:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/bantuan").text)
    assert found
    return client.post(
        f"{PAGE}/{deed}", data={"csrf": found[1], **fields}, follow_redirects=False
    ).status_code


def names(client: httpx.Client) -> list[str]:
    return re.findall(r"<h3>\d+\. <bdi>([^<]+)</bdi>", client.get(PAGE).text)


def heard_modem(city: City, node: str, service: str = "modem") -> None:
    stream = {"node": node, "stream": f"{service}.urgent", "epoch": "0" * 16, "upto": 1}
    city.store.write(lambda c: c.execute(t.mark.insert().values(stream)))


def wanted(city: City, node: str) -> dict[str, object]:
    with city.store.read() as connection:
        row = wants.find(connection, node, "roster")
    assert row is not None
    found: dict[str, object] = msgspec.json.decode(row.body)
    return found


def test_a_supervisor_keeps_the_list_and_its_order_and_each_change_is_on_record(
    city: City, login: Browse
) -> None:
    client = login("supervisor")
    assert "Tidak ada HP jaga" in client.get(PAGE).text
    assert post(client, "modem", node="gsm-1", number=OURS, takes_urgent="1") == 303
    assert post(client, "hp", number="0811-1111 111", name="Regu  A") == 303
    assert post(client, "hp", number=OTHER, name="Regu B") == 303
    assert names(client) == ["Regu A", "Regu B"]
    assert post(client, "geser", number=OTHER, to="earlier") == 303
    assert post(client, "geser", number=OTHER, to="earlier") == 303, "it is first already"
    assert names(client) == ["Regu B", "Regu A"]
    assert [phone["number"] for phone in wanted(city, "gsm-1")["duty"]] == [OTHER, TEAM]  # type: ignore[attr-defined]
    assert post(client, "hapus", number=OTHER, reason=" ") == 422
    assert post(client, "hapus", number=OTHER, reason="pindah tugas") == 303
    assert names(client) == ["Regu A"]
    page = client.get(PAGE).text
    for words in (
        "HP jaga ditambahkan",
        "urutan SMS diubah",
        "HP jaga dihapus",
        "pindah tugas",
        "supervisor",
    ):
        assert words in page
    assert city.events("roster.phone_moved") == 1, "what changes nothing is no event"
    assert OTHER not in page, "who is off the list stands in its history by the last digits"


@pytest.mark.parametrize(
    ("deed", "fields", "status", "words"),
    [
        ("hp", {"number": "112", "name": "x"}, 409, "perlu nomor"),
        ("hp", {"number": TEAM, "name": " "}, 409, "perlu nomor"),
        ("hapus", {"number": OTHER, "reason": "x"}, 409, "tidak sedang bertugas"),
        ("geser", {"number": OTHER, "to": "later"}, 409, "tidak sedang bertugas"),
        ("geser", {"number": OTHER, "to": "up"}, 422, "naik atau turun"),
        ("uji", {"number": OTHER}, 409, "tidak sedang bertugas"),
        ("modem", {"node": "nobody", "number": OURS}, 409, "tidak ada simpul nobody"),
        ("modem", {"node": "gsm-1", "number": "112"}, 409, "nomor modem"),
        ("aturan", {"away_after_s": "5"}, 409, "away_after_s harus bilangan bulat dari 15 sampai 300"),
        ("aturan", {"away_after_s": "x"}, 409, "away_after_s harus bilangan bulat dari 15 sampai 300"),
    ],
)
def test_what_cannot_be_is_refused_in_words_and_changes_nothing(
    city: City, login: Browse, deed: str, fields: dict[str, str], status: int, words: str
) -> None:
    client = login("supervisor")
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/bantuan").text)
    assert found
    answer = client.post(f"{PAGE}/{deed}", data={"csrf": found[1], **fields})
    assert answer.status_code == status
    assert words in answer.text
    with city.store.read() as connection:
        assert roster.phones(connection) == []
        assert wants.all_of_them(connection) == []


@pytest.mark.parametrize("role", ["operator", "head", "technician", "admin"])
def test_others_read_it_and_numbers_show_to_those_who_may_see_them(
    city: City, login: Browse, role: str
) -> None:
    city.store.write(lambda c: roster.add_phone(c, TEAM, "Regu A", "test", city.now_us))
    client = login(role)
    page = client.get(PAGE).text
    assert (TEAM in page) == (role == "operator")
    assert "…111" in page or role == "operator"
    assert f'action="{PAGE}' not in page
    for deed in ("hp", "geser", "hapus", "uji", "modem", "aturan"):
        assert post(client, deed, number=TEAM, name="x", to="later", reason="x", node="gsm-1") == 403


def test_it_says_which_node_has_which_version_and_which_modem_takes_no_part(
    city: City, login: Browse
) -> None:
    client = login("supervisor")
    for node in ("gsm-1", "node-1"):
        heard_modem(city, node)
    page = client.get(PAGE).text
    assert page.count("belum tercatat di sini") == 2
    assert "siaga-central roster modem node-1 --number +62" in page
    assert client.get("/perangkat").text.count("modem belum tercatat di daftar jaga") == 2
    post(client, "modem", node="gsm-1", number=OURS, takes_urgent="1")
    page = client.get(PAGE).text
    assert page.count("belum tercatat di sini") == 1
    assert "belum sampai" in page
    taken = WantState(name="roster", version=1, state="taken")
    city.store.write(lambda c: wants.settle(c, "gsm-1", taken, city.now_us))
    assert "belum dibaca layanan modemnya" in client.get(PAGE).text
    applied = WantState(name="roster", version=1, state="applied")
    city.store.write(lambda c: wants.settle(c, "gsm-1", applied, city.now_us))
    assert "berlaku: versi 1, sejak" in client.get(PAGE).text
    post(client, "hp", number=TEAM, name="Regu A")
    assert "belum sampai: versi 2" in client.get(PAGE).text
    assert "simpul punya versi 1" in client.get(PAGE).text


def test_the_last_loop_back_of_each_modem_is_shown(city: City, login: Browse) -> None:
    for service in ("modem", "modemb"):
        heard_modem(city, "gsm-1", service)
    late = ServiceState(
        service="modemb",
        level="crit",
        code="modem.loop",
        detail="2 loop-back texts in a row did not come round",
    )
    trouble = ServiceState(service="modemb", level="warn", code="modem.balance", detail="Rp 900")
    city.store.write(lambda c: nodes.service(c, "gsm-1", trouble, city.now_us))
    city.store.write(lambda c: nodes.service(c, "gsm-1", late, city.now_us))
    page = login("operator").get(PAGE).text
    assert "belum ada SMS uji antarmodem" in page
    assert "modem kedua: " in page
    assert "■ SMS uji antarmodem GAWAT" in page
    assert "Rp 900" in page, "what else is wrong with it"
    assert "2 SMS uji berturut-turut" in page
    well = ServiceState(service="modem", level="ok", code="modem.loop")
    city.store.write(lambda c: nodes.service(c, "gsm-1", well, city.now_us))
    assert "belum ada SMS uji antarmodem" not in login("operator").get(PAGE).text


def test_a_trial_text_goes_the_way_of_every_text_and_its_fate_shows(city: City, login: Browse) -> None:
    client = login("supervisor")
    city.store.write(lambda c: roster.add_phone(c, TEAM, "Regu A", "test", city.now_us))
    assert post(client, "uji", number=TEAM, node="") == 409, "no node has a modem yet"
    heard_modem(city, "gsm-1")
    assert post(client, "uji", number=TEAM) == 303
    assert post(client, "uji", number=TEAM) == 409, "pressed twice"
    with city.store.read() as connection:
        (text,) = duty_texts.newest(connection, "trial").values()
        order = commands.find(connection, text.id)
        assert modems.by_node(connection) == {"gsm-1": ["modem"]}
    assert order is not None
    assert (order.node, order.kind) == ("gsm-1", "sms.send")
    assert "Regu A" in order.payload
    assert "SMS uji: Antre" in client.get(PAGE).text
    city.store.write(lambda c: duty_texts.delivered(c, text.id, "DELIVERED", "", "node:gsm-1", city.now_us))
    assert "SMS uji: Sampai" in client.get(PAGE).text


def test_a_trial_that_never_left_says_so(city: City, login: Browse) -> None:
    heard_modem(city, "gsm-1")
    city.store.write(lambda c: roster.add_phone(c, TEAM, "Regu A", "test", city.now_us))
    client = login("supervisor")
    post(client, "uji", number=TEAM)
    with city.store.read() as connection:
        (text,) = duty_texts.newest(connection, "trial").values()
    city.store.write(lambda c: fates.settle(c, text.id, "expired", fates.EXPIRED, {}, "hub", city.now_us))
    page = client.get(PAGE).text
    assert "SMS uji: Gagal" in page
    assert fates.EXPIRED not in page, "in the reader's words"


def test_times_that_the_city_decides_go_to_the_nodes(city: City, login: Browse) -> None:
    client = login("supervisor")
    post(client, "modem", node="gsm-1", number=OURS, takes_urgent="1")
    assert post(client, "aturan", away_after_s="45", next_phone_s="60") == 303
    assert wanted(city, "gsm-1")["policy"]["away_after_s"] == 45  # type: ignore[index]
    page = client.get(PAGE).text
    assert 'name="away_after_s" value="45" min="15" max="300"' in page
    assert "away_after_s 45" in page, "in the history"
    assert "next_phone_s 60" not in page, "what was left as it was is not"
