"""`siaga-node modem status` while the hub is away or the modem is not there: old findings are marked."""

import json
import time
from pathlib import Path

import pytest

from siaga_edge.cli import alone
from siaga_edge.cli.__main__ import main
from siaga_edge.cli.alone import judge
from siaga_edge.cli.modem import page
from siaga_edge.cli.queue import Queued
from siaga_edge.modem.status import ModemStatus
from siaga_edge.modem.status import write_status as write_modem
from siaga_edge.uplink.status import LinkStatus, write_status
from support.front_desk import CITIZEN, FIRST, OTHER, ROSTER, FrontDesk
from support.modem_service import Service

S = 10**9
UP, DOWN = LinkStatus(up=True, since_wall_ns=1), LinkStatus(up=False, since_wall_ns=5 * S, reason="refused")


def waiting(count: int, oldest_s: float) -> Queued:
    return Queued("modem.urgent", 9, 9 - count, count, int(oldest_s * S))


def test_the_hub_is_away_when_the_link_is_down_or_nothing_is_acknowledged() -> None:
    now = 1000 * S
    assert judge(UP, None, 20, now).state == "there"
    assert judge(UP, waiting(0, 1), 20, now).state == "there"
    assert judge(UP, waiting(3, 990), 20, now).state == "there", "it may be on its way"
    found = judge(UP, waiting(3, 970), 20, now)
    assert (found.state, found.since_wall_ns, found.waiting) == ("away", 970 * S, 3)
    found = judge(DOWN, None, 20, now)
    assert (found.state, found.since_wall_ns, found.why) == ("away", 5 * S, "refused")
    assert judge(None, None, 20, now).state == "unknown"
    assert judge(None, waiting(1, 10), 20, now).state == "away"


def test_verdicts_have_an_age_and_those_of_a_modem_that_is_gone_are_stale() -> None:
    verdicts = {"modem.network": ("ok", "-77 dBm"), "modem.balance": ("ok", "Rp 50000")}
    ages = {"modem.network": 60.0, "modem.balance": 7200.0}
    well = ModemStatus(at_wall_ns=1, ready=True, verdicts=verdicts, ages_s=ages)
    text = page("modem", well, running=True, age_s=5)
    assert "-77 dBm  [65 dtk/s]" in text
    assert "Rp 50000  [2 jam/h]" in text
    assert "STALE" not in text
    gone = ModemStatus(at_wall_ns=1, ready=False, trouble="modem.missing", verdicts=verdicts, ages_s=ages)
    assert page("modem", gone, running=True).count("USANG / STALE") == 2
    assert page("modem", well, running=False, age_s=900).count("USANG / STALE") == 2


@pytest.fixture
def service(tmp_path: Path) -> Service:
    made = Service(tmp_path, tmp_path / "modem")
    (tmp_path / "data").mkdir()
    return made


def test_codes_that_are_out_are_listed_with_who_was_texted_and_what_became_of_them(
    service: Service, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    node = FrontDesk(tmp_path / "data")
    node.roster(ROSTER)
    node.hub_takes_all = False
    node.text("Kebakaran besar di Nagoya", CITIZEN)
    node.text("Kebakaran besar di Batu Aji", OTHER)
    node.pass_time(25)
    first, second = (body["code"] for body in node.bodies("duty") if body["deed"] == "told")
    node.text(f"OTW {first}", FIRST.number)
    node.pass_time(1)
    node.end()
    write_status(tmp_path / "run", DOWN)
    write_modem(tmp_path / "run", "modem", ModemStatus(at_wall_ns=time.time_ns(), ready=True))
    capfd.readouterr()
    main(["modem", "status", "--config", str(service.config), "--json"])
    told = json.loads(capfd.readouterr().out)
    assert told["hub"]["state"] == "away"
    assert {one["code"]: (one["state"], one["phones"]) for one in told["codes"]} == {
        first: ("underway", ["Regu A"]),
        second: ("sounding", ["Regu A"]),
    }
    main(["modem", "status", "--config", str(service.config)])
    text = capfd.readouterr().out
    assert "TERPUTUS / AWAY" in text
    (line,) = [line for line in text.splitlines() if second in line]
    assert "BELUM ADA yang mengambil" in line
    assert "Regu A" in line


def test_every_state_of_an_alarm_that_is_not_over_has_words() -> None:
    assert set(alone.STATES) == {"sounding", "quiet", "accepted", "underway", "done"}
