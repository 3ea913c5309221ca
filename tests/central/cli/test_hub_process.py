"""The hub as an administrator has it: set up, run, ordered about, ended."""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from siaga_central.cli.__main__ import link_page, parser
from support.waiting import free_port, until

PROGRAM = [sys.executable, "-m", "siaga_central.cli"]
PASSWORD = "batam-kota-aman"


class Hub:
    """A hub's config in a folder, and its process when it runs."""

    def __init__(self, folder: Path) -> None:
        self.console, self.broker, self.folder = free_port(), free_port(), folder
        self.config, self.password = folder / "hub.toml", folder / "password"
        self.password.write_text(PASSWORD)
        self.config.write_text(
            f'[hub]\ndata_dir = "{folder}/data"\n'
            f"[console]\nport = {self.console}\n"
            f'[gateway]\nhost = "127.0.0.1"\nnames = ["127.0.0.1", "localhost"]\nport = {free_port()}\n'
            f'[broker]\nhost = "127.0.0.1"\nport = {self.broker}\noperator_port = {free_port()}\n'
            f"cutting_port = {free_port()}\n"
            '[city]\nname = "Uji"\n'
        )
        self.order("init", "--password-file", str(self.password))
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen([*PROGRAM, "run", "--config", str(self.config)], stderr=log)

    def order(self, *words: str) -> dict[str, Any]:
        """Give an order on the command line; its answer."""
        done = subprocess.run(
            [*PROGRAM, *words, "--config", str(self.config), "--json"], capture_output=True, timeout=30
        )
        assert done.returncode == 0, done.stderr.decode()
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def is_up(self) -> bool:
        """Whether the console answers."""
        assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
        try:
            return self.get("/masuk") == 200
        except (OSError, http.client.HTTPException):
            return False

    def get(self, path: str) -> int:
        """The status of one page."""
        connection = self.https()
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def https(self) -> http.client.HTTPSConnection:
        """A browser that knows the hub's CA."""
        trust = ssl.create_default_context(cafile=self.folder / "data/authority/ca.pem")
        return http.client.HTTPSConnection("127.0.0.1", self.console, timeout=10, context=trust)

    def listens(self, client: str, password: str, port: int) -> bool:
        """Whether the broker lets an operator's client in."""
        line = ["mosquitto_sub", "-V", "5", "-h", "127.0.0.1", "-p", str(port), "-u", client, "-P", password]
        line += ["--cafile", str(self.folder / "data/authority/ca.pem"), "-t", "siaga/v1/alert/#", "-W", "1"]
        return subprocess.run(line, capture_output=True, timeout=20).returncode == 27  # its time was over

    def mosquitto(self) -> list[int]:
        """Processes of our own broker."""
        mark = str(self.folder / "data/broker/mosquitto.conf").encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                except OSError:
                    continue
                if mark in words:
                    found.append(int(entry.name))
        return found


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    made = Hub(tmp_path)
    try:
        until(made.is_up, because="the console answers")
        until(made.mosquitto)
        yield made
    finally:
        made.process.kill()
        made.process.wait(5)


def test_orders_reach_a_running_hub_which_ends_soon_after_term(hub: Hub) -> None:
    hub.order("site", "add", "BTM-017", "--name", "Simpang Kara")
    invited = hub.order("node", "invite", "--node", "btm-017", "--site", "BTM-017", "--name", "Kara")
    assert invited["token"]
    words = ("--full-name", "Rina", "--role", "operator", "--password-file", str(hub.password))
    hub.order("user", "add", "rina", *words)
    assert {user["name"] for user in hub.order("user", "list")["users"]} == {"admin", "rina"}
    made = hub.order("operator-client", "add", "rina-phone")
    assert hub.listens("rina-phone", made["password"], made["port"])
    assert [one["client"] for one in hub.order("operator-client", "list")["clients"]] == ["rina-phone"]
    assert hub.order("operator-client", "remove", "rina-phone")["removed"]
    assert not hub.listens("rina-phone", made["password"], made["port"])
    assert [node["id"] for node in hub.order("node", "list")["nodes"]] == ["btm-017"]
    [link] = hub.order("link", "status")["nodes"]
    assert (link["node"], link["online"], link["heard_s"], link["streams"]) == ("btm-017", False, None, [])
    assert "btm-017" in link_page([link])
    assert hub.order("link", "quarantine") == {"refused": {}}
    assert hub.order("policy", "show")["version"] == 0
    made = hub.order("policy", "set", "cameras=4", 'priorities=["P1"]', "--from", "2026-01-01T00:00:00+07:00")
    shown = hub.order("policy", "show")
    assert (shown["version"], shown["values"]["cameras"]) == (made["version"], 4)
    stream = open_stream(hub)
    began_s = time.monotonic()
    hub.process.send_signal(signal.SIGTERM)
    assert hub.process.wait(8) == 0, (hub.folder / "log").read_text()[-2000:]
    assert time.monotonic() - began_s < 8
    stream.close()


def open_stream(hub: Hub) -> http.client.HTTPConnection:
    """An operator's page that listens, as the console opens it."""
    connection = hub.https()
    form = urlencode({"name": "rina", "password": PASSWORD})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/masuk", form, headers)
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("Set-Cookie") or "").partition(";")[0]
    connection.request("GET", "/live?after=0", headers={"Cookie": cookie})
    live = connection.getresponse()
    assert live.status == 200
    assert live.readline().startswith(b"retry:")
    return connection


def test_the_broker_ends_with_a_hub_that_is_killed(hub: Hub) -> None:
    os.kill(hub.process.pid, signal.SIGKILL)
    until(lambda: not hub.mosquitto(), because="mosquitto has gone")


@pytest.mark.parametrize(
    "words",
    ["", "init", "run", "user add", "operator-client add", "node invite", "node revoke", "link status"],
)
def test_every_order_explains_itself(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args([*words.split(), "--help"])
    assert ended.value.code == 0
    assert "usage: siaga-central" in capsys.readouterr().out
