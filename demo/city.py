"""The small city: what it is made of, how it is set up once, how it is started every time."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.keeper import Keeper
from siaga_edge.node import load as load_node
from siaga_edge.simulate.camera.control import CameraControl
from siaga_edge.simulate.modem.control import Control

BIN = Path(sys.executable).parent
CAMERA_NODE, GSM_NODE = "btm-017", "gsm-001"
NODES = (CAMERA_NODE, GSM_NODE)
CAMERAS = {
    "cam-simpang-kara": ("Simpang Kara", 1.1281, 104.0513),
    "cam-nagoya-hill": ("Nagoya Hill", 1.1462, 104.0107),
}
OPERATOR, SUPERVISOR = "rina", "budi"
# The GSM node's own number, and the phone that is texted while the hub is away.
OURS, TEAM = "+628111000112", "+628111111111"
ALERT_CLIENT = "rina-telepon"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where everything listens, on loopback."""

    console: int
    gateway: int
    broker: int
    operators: int
    cutting: int
    rtsp: int
    onvif: int

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses now."""
        sockets = [socket.socket() for _ in range(7)]
        try:
            for one in sockets:
                one.bind(("127.0.0.1", 0))
            return cls(*(one.getsockname()[1] for one in sockets))
        finally:
            for one in sockets:
                one.close()

    @classmethod
    def usual(cls) -> "Ports":
        """The ports that a person meets again at the next start, or free ones where they are taken."""
        wanted, free = (8112, 8443, 8883, 8884, 8885, 8554, 8580), cls.free()
        chosen = [
            port if _is_free(port) else getattr(free, name)
            for name, port in zip(cls.__slots__, wanted, strict=True)
        ]
        return cls(*chosen)


class SetUpFailed(Exception):
    """A step of the set-up did not work; the message holds what the program said."""


class City:
    """Set up once in `folder`, started every time; everything ends with `stop`."""

    free_reserve_bytes = 500_000_000

    def __init__(self, folder: Path, ports: Ports, say: Callable[[str], None]) -> None:
        self.folder, self.ports, self._say = folder.resolve(), ports, say
        self.keeper = Keeper(self.folder / "log")
        self.run_dir = self.folder / "run"
        self.modem_socket = self.run_dir / "modem-simulator.sock"
        self.camera_socket = self.run_dir / "camera-simulator.sock"
        self.console_url = f"http://127.0.0.1:{ports.console}"

    @property
    def modem(self) -> Control:
        """A new line to the simulated modem; the caller closes it."""
        return Control(self.modem_socket)

    @property
    def cameras(self) -> CameraControl:
        """The simulated cameras."""
        return CameraControl(self.camera_socket)

    @property
    def ca_file(self) -> Path:
        """The authority's certificate, which nodes and operators' clients pin."""
        return self.folder / "hub" / "authority" / "ca.pem"

    @property
    def database(self) -> Path:
        """The hub's database, for reading."""
        return self.folder / "hub" / "hub.db"

    @property
    def mosquitto(self) -> str:
        """The broker's program, as it stands in the process list."""
        return shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin") or "mosquitto"

    @property
    def central_program(self) -> str:
        """The hub's program, as it stands in the process list."""
        return str(BIN / "siaga-central")

    def node_file(self, node: str) -> Path:
        """A node's config."""
        return self.folder / f"{node}.toml"

    def services(self, node: str) -> tuple[str, ...]:
        """The services a node runs."""
        return load_node(self.node_file(node)).services

    def secret(self, name: str) -> str:
        """A password of this city, made once."""
        path = self.folder / "secret" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(secrets.token_urlsafe(12) + "\n")
            path.chmod(0o600)
        return path.read_text().strip()

    def start(self) -> None:
        """Set up what is missing and start everything; returns when all of it answers."""
        self.run_dir.mkdir(parents=True, exist_ok=True)
        self._write_configs()
        self._start_simulators()
        first = not (self.folder / "ready").exists()
        if first:
            self._set_up_hub()
        self._start_hub()
        if first:
            self._claim_nodes()
            (self.folder / "ready").touch()
        for node in (CAMERA_NODE, GSM_NODE):
            self.keeper.start(f"node-{node}", self._node(node, "run"))

    def stop(self) -> None:
        """End everything; no process stays."""
        self.keeper.stop()

    def central(self, *words: str, typed: str | None = None) -> str:
        """Run `siaga-central` to its end; its output. Raises SetUpFailed."""
        config = ("--config", str(self.folder / "hub.toml"))
        return _finish([BIN / "siaga-central", *words, *config], typed)

    def claim(self, node: str, site: str) -> None:
        """Invite a node whose config is written, and let it claim its certificate. Raises SetUpFailed."""
        answer = self.central("node", "invite", "--node", node, "--site", site, "--name", node, "--json")
        token = json.loads(answer)["token"]
        _finish([*self._node(node, "enrol"), "--token", token, "--ca", self.ca_file])

    def write_config(self, node: str) -> None:
        """Write a node's config."""
        self.node_file(node).write_text(self._node_toml(node))

    def _node(self, node: str, *words: str) -> list[str | Path]:
        return [BIN / "siaga-node", *words, "--config", self.node_file(node)]

    def _start_simulators(self) -> None:
        self.secret("camera")
        modem: list[str | Path] = ["siaga_edge.simulate.modem", "--link", self.run_dir / "modem"]
        modem += ["--control", self.modem_socket]
        self.keeper.start("modem-simulator", [sys.executable, "-m", *modem])
        cameras: list[str | Path] = ["siaga_edge.simulate.camera", "--port", str(self.ports.rtsp)]
        cameras += ["--onvif-port", str(self.ports.onvif), "--control", self.camera_socket]
        cameras += ["--cameras", ",".join(CAMERAS), "--user", "siaga"]
        cameras += ["--password-file", self.folder / "secret" / "camera"]
        self.keeper.start("camera-simulator", [sys.executable, "-m", *cameras])

    def _set_up_hub(self) -> None:
        self._say("menyiapkan pusat: otoritas sertifikat, basis data, akun")
        self.secret("admin")
        self.central("init", "--password-file", str(self.folder / "secret" / "admin"))
        people = ((OPERATOR, "operator", "Rina Operator"), (SUPERVISOR, "supervisor", "Budi Pengawas"))
        for name, role, full_name in people:
            self.secret(role)
            self.central(
                *("user", "add", name, "--role", role, "--full-name", full_name),
                *("--password-file", str(self.folder / "secret" / role)),
            )
        self.secret("alert-client")
        self.central(
            *("operator-client", "add", ALERT_CLIENT),
            *("--password-file", str(self.folder / "secret" / "alert-client")),
        )
        self.central("site", "add", "BTM-017", "--name", "Simpang Kara")
        self.central("site", "add", "GSM-001", "--name", "Ruang Kontrol")

    def _start_hub(self) -> None:
        self.keeper.start("hub", [BIN / "siaga-central", "run", "--config", self.folder / "hub.toml"])
        self.wait(lambda: self._console_answers(), "pusat menjawab", 60)

    def _claim_nodes(self) -> None:
        self._say("mendaftarkan simpul: kunci dibuat di simpul, sertifikat dari pusat")
        for node, site in ((CAMERA_NODE, "BTM-017"), (GSM_NODE, "GSM-001")):
            self.claim(node, site)
        for camera, (name, latitude, longitude) in CAMERAS.items():
            self.central(
                *("camera", "add", camera, "--node", CAMERA_NODE, "--name", name),
                *("--latitude", str(latitude), "--longitude", str(longitude)),
            )

        self.central("roster", "modem", GSM_NODE, "--number", OURS)
        self.central("roster", "phone-add", TEAM, "--name", "Regu A")

    def _console_answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.console_url}/masuk", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def wait(self, happened: Callable[[], bool], what: str, limit_s: float) -> None:
        """Wait for something; raises SetUpFailed naming it and where the logs are."""
        deadline = time.monotonic() + limit_s
        while not happened():
            if time.monotonic() > deadline:
                raise SetUpFailed(f"{what}: not within {limit_s:.0f} s; see {self.folder / 'log'}")
            time.sleep(0.05)

    def _write_configs(self) -> None:
        (self.folder / "hub.toml").write_text(self._hub_toml())
        for node in (CAMERA_NODE, GSM_NODE):
            self.write_config(node)

    def _hub_toml(self) -> str:
        hub, ports = self.folder / "hub", self.ports
        return f"""
[hub]
data_dir = "{hub}"
media_dir = "{hub}/media"
siren_nodes = ["{GSM_NODE}"]

[console]
host = "127.0.0.1"
port = {ports.console}
tls = false
secure_cookies = false

[gateway]
host = "127.0.0.1"
port = {ports.gateway}
names = ["127.0.0.1", "localhost"]

[broker]
host = "127.0.0.1"
port = {ports.broker}
operator_port = {ports.operators}
cutting_port = {ports.cutting}

[city]
name = "Batam"
latitude = 1.1301
longitude = 104.0529
"""

    def _node_toml(self, node: str) -> str:
        folder = self.folder / node
        folder.mkdir(exist_ok=True)
        site = "BTM-017" if node == CAMERA_NODE else "GSM-001"
        common = f"""
[node]
id = "{node}"
site = "{site}"
data_dir = "{folder}/data"
run_dir = "{self.run_dir}/{node}"

[hub]
broker_host = "127.0.0.1"
broker_port = {self.ports.broker}
gateway_url = "https://127.0.0.1:{self.ports.gateway}"
ca_file = "{self.ca_file}"
certificate_file = "{folder}/node.pem"
key_file = "{folder}/node.key"

[health]
pin_factory = "mock"
every_s = 5
"""
        if node == GSM_NODE:
            return common + f'\n[modem]\nport = "{self.run_dir}/modem"\nreject_after_s = 4\n'
        return common + self._camera_toml(folder)

    def _camera_toml(self, folder: Path) -> str:
        tables = [
            f"""
[[cameras]]
id = "{camera}"
rtsp_url = "rtsp://127.0.0.1:{self.ports.rtsp}/{camera}"
onvif_url = "http://127.0.0.1:{self.ports.onvif}/onvif/{camera}/device_service"
user = "siaga"
password_file = "{self.folder}/secret/camera"
"""
            for camera in CAMERAS
        ]
        return (
            "".join(tables)
            + f"""
[recorder]
footage_dir = "{folder}/footage"
segment_s = 10
free_reserve_bytes = {self.free_reserve_bytes}

[picture]
judge_every_s = 1
picture_every_s = 10
frozen_after_s = 20
"""
        )


def _finish(command: Sequence[str | Path], typed: str | None = None) -> str:
    done = subprocess.run(command, input=typed, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise SetUpFailed(f"{' '.join(map(str, command))}\n{done.stderr.strip()}")
    return done.stdout


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
