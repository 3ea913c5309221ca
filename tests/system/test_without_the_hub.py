"""The small city with real processes: what happens without the hub, and what comes without the internet."""

import json
import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from demo.city import CAMERA_NODE, GSM_NODE, City, Ports

from siaga_edge.simulate.modem.control import Control
from support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
CITIZEN, TEAM, OURS, SITE = "+6281234567890", "+628111111111", "+628111000112", "+628133333333"
CAMERA = "cam-nagoya-hill"


class TwoModems(City):
    """The city whose camera site has a modem of its own; the test is the network between the two."""

    dead_port = 1

    @property
    def site_socket(self) -> Path:
        """Where the camera site's modem is directed."""
        return self.run_dir / "site-modem.sock"

    def cut_internet(self, *, cut: bool) -> None:
        """The camera site loses its way to the broker, or has it again."""
        good, bad = f"broker_port = {self.ports.broker}", f"broker_port = {self.dead_port}"
        text = self.node_file(CAMERA_NODE).read_text()
        self.node_file(CAMERA_NODE).write_text(text.replace(*((good, bad) if cut else (bad, good))))
        for process in self.keeper.find("siaga_edge.uplink", str(self.node_file(CAMERA_NODE))):
            process.kill()

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of the hub's database."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def panel(self) -> dict[str, Any]:
        """What lamp and siren of the GSM node show."""
        path = self.run_dir / GSM_NODE / "panel.json"
        shown: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"siren": None}
        return shown

    @contextmanager
    def frozen_hub(self) -> Iterator[None]:
        """The hub's process stands still: connected, and silent."""
        hub = self.keeper.find(self.central_program, "run")
        for process in hub:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in hub:
                process.send_signal(signal.SIGCONT)

    def _start_simulators(self) -> None:
        super()._start_simulators()
        modem: list[str | Path] = [sys.executable, "-m", "siaga_edge.simulate.modem"]
        modem += ["--link", self.run_dir / "site-modem", "--control", self.site_socket]
        self.keeper.start("site-modem-simulator", modem)

    def _node_toml(self, node: str) -> str:
        text = super()._node_toml(node)
        return text + f'\n[modem]\nport = "{self.run_dir}/site-modem"\n' if node == CAMERA_NODE else text


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoModems]:
    made = TwoModems(tmp_path_factory.mktemp("city"), Ports.free(), lambda _text: None)
    try:
        made.start()
        made.central("roster", "modem", GSM_NODE, "--number", OURS)
        made.central("roster", "modem", CAMERA_NODE, "--number", SITE, "--sends-only")
        made.central("roster", "phone-add", TEAM, "--name", "Regu A")
        until(lambda: _converged(made), 60, because="both nodes have applied the roster")
        yield made
    finally:
        made.stop()


def _converged(city: TwoModems) -> bool:
    shown = json.loads(city.central("roster", "show", "--json"))["nodes"]
    return len(shown) == 2 and all(
        one["state"] == "applied" and one["has"] == one["version"] for one in shown
    )


def _texts(control: Control, to: str) -> list[str]:
    return [one["text"] for one in control.sent() if one["to"] == to]


def test_a_citizen_is_answered_once_the_hub_has_the_report(city: TwoModems) -> None:
    with city.modem as modem:
        modem.sms("+6281299990001", "Kebakaran di Nagoya depan Hotel Harmoni")
        until(lambda: _texts(modem, "+6281299990001"), 20, because="the reply has left")
        assert len(_texts(modem, "+6281299990001")) == 1
        until(
            lambda: city.query(
                "SELECT 1 FROM reply WHERE written_by = ? AND state != 'QUEUED'", f"node:{GSM_NODE}"
            ),
            20,
            because="the console shows what the node has answered",
        )


def test_without_the_hub_siren_and_duty_phone_are_called_and_all_is_handed_over_once(city: TwoModems) -> None:
    with city.modem as modem:
        with city.frozen_hub():
            modem.sms(CITIZEN, "Tolong, kebakaran besar di Batu Ampar, ada korban")
            until(lambda: city.panel()["siren"], 60, because="the siren sounds")
            until(lambda: _texts(modem, TEAM), 30, because="the duty phone is texted")
            assert _texts(modem, CITIZEN) == [], "nobody has it yet"
            code = _texts(modem, TEAM)[0].rpartition(" ")[2]
            modem.sms(TEAM, f"Terima {code}")
            until(lambda: not city.panel()["siren"], 30, because="the siren is answered")
            until(lambda: _texts(modem, CITIZEN), 30, because="the citizen hears that somebody has it")
        until(
            lambda: city.query("SELECT 1 FROM event WHERE kind = 'away.over'"),
            60,
            because="all is handed over",
        )
        (incident,) = city.query(
            "SELECT i.id, i.taken_by FROM incident i JOIN report r ON r.incident = i.id"
            " WHERE r.reporter_e164 = ?",
            CITIZEN,
        )
        assert incident[1] == "Regu A"
        kinds = [row[0] for row in city.query("SELECT kind FROM event WHERE subject = ?", incident[0])]
        for kind in ("away.sounded", "away.told", "dispatch.accepted", "away.over", "incident.taken"):
            assert kinds.count(kind) == 1, kinds
        assert city.query("SELECT count(*) FROM report WHERE reporter_e164 = ?", TEAM) == [(0,)]
        assert len(_texts(modem, CITIZEN)) == 1


def test_an_alarm_and_a_report_arrive_without_internet_and_once(city: TwoModems) -> None:
    stop = threading.Event()
    network = threading.Thread(target=_network, args=(city, stop), daemon=True)
    city.cut_internet(cut=True)
    network.start()
    try:
        city.cameras.switch(CAMERA, "black")
        with Control(city.site_socket) as site:
            site.sms("+6281299990002", "Banjir di Tanjung Uma, tolong")
        until(
            lambda: city.query("SELECT 1 FROM report WHERE via = 'sms' AND node = ?", CAMERA_NODE),
            120,
            because="the citizen's report has come by SMS",
        )
        until(
            lambda: city.query("SELECT 1 FROM camera WHERE id = ? AND status = 'black'", CAMERA),
            120,
            because="the camera's alarm has come by SMS",
        )
        carried = city.query("SELECT node, stream, epoch, seq FROM early")
        assert carried
        city.cut_internet(cut=False)
        for key in carried:
            until(
                lambda key=key: city.query(  # type: ignore[misc]
                    "SELECT 1 FROM record WHERE node = ? AND stream = ? AND epoch = ? AND seq = ?", *key
                ),
                90,
                because="the link brings the same record",
            )
        number = "+6281299990002"
        assert city.query("SELECT count(*) FROM report WHERE reporter_e164 = ?", number) == [(1,)]
        assert city.query("SELECT count(*) FROM incident WHERE summary LIKE 'SIAGA1%'") == [(0,)]
        assert city.query("SELECT reason FROM refusal WHERE reason = 'sms-forged'") == []
    finally:
        stop.set()
        network.join(5)
        city.cut_internet(cut=False)


def test_one_sender_of_a_thousand_texts_a_minute_delays_nobody(city: TwoModems) -> None:
    flooder, texts, honest = "+6281299990100", 1000, 20
    sent_us: dict[str, int] = {}
    with city.modem as modem, city.modem as crowd:
        modem.sms(flooder, "Promo pulsa murah hari ini", repeat=texts, delay_s=60 / texts)
        for place in range(honest):
            number = f"+62812888800{place:02d}"
            sent_us[number] = time.time_ns() // 1000
            crowd.sms(number, f"Kebakaran di Nagoya blok {place}")
            until(lambda number=number: _received(city, number), 30)  # type: ignore[misc]
            _pause(2.5)
        count = "SELECT count(*) FROM report WHERE reporter_e164 = ?"
        until(lambda: city.query(count, flooder) == [(texts,)], 90, because="every text is kept")
        replies = {number: _texts(modem, number) for number in (*sent_us, flooder)}
    late_ms = sorted((_received(city, number) - at_us) // 1000 for number, at_us in sent_us.items())
    sys.stderr.write(f"honest reports committed after ms: median {late_ms[10]} most {late_ms[-1]}\n")
    assert late_ms[-1] <= 2000
    lines = "SELECT count(DISTINCT incident) FROM report WHERE reporter_e164 = ?"
    assert city.query(lines, flooder) == [(1,)], "one line in the queue, with a counter"
    assert all(len(said) <= 1 for said in replies.values())
    lane = city.query(
        "SELECT count(*) FROM incident i JOIN report r ON r.incident = i.id WHERE r.reporter_e164 LIKE ?",
        "+6281288880%",
    )
    assert lane == [(honest,)]


def _received(city: TwoModems, number: str) -> int:
    rows = city.query("SELECT received_us FROM report WHERE reporter_e164 = ?", number)
    return int(rows[0][0]) if rows else 0


def _pause(seconds: float) -> None:
    """Let people write at their own pace, without a long sleep."""
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        time.sleep(0.1)


def _network(city: TwoModems, stop: threading.Event) -> None:
    """Carry what the site's modem sends to our number, joined, as the network would."""
    done = 0
    with Control(city.site_socket) as site, city.modem as modem:
        while not stop.wait(0.1):
            sent = [one for one in site.sent() if one["to"] == OURS]
            while done < len(sent):
                part = sent[done]["part"]
                total = part[1] if part else 1
                if len(sent) < done + total:
                    break
                modem.sms(SITE, "".join(one["text"] for one in sent[done : done + total]))
                done += total
