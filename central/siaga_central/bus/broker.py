"""mosquitto as a child of the hub: configured, started, started again, ended with it."""

import getpass
import logging
import os
import shutil
import signal
import subprocess
from pathlib import Path

from siaga_central.bus.settings import NODES_ACL, OPERATORS_ACL, BrokerSettings, configuration
from siaga_core.errors import SiagaError, Transient
from siaga_core.service.files import write_atomic
from siaga_core.service.tether import tethered
from siaga_core.service.workers import Heartbeat, Stop

log = logging.getLogger(__name__)

POLL_S = 0.2
END_LIMIT_S = 5.0
CUTTER = "cutter"


class ProgramMissing(SiagaError):
    """A program the hub needs is not installed."""


class BrokerEnded(SiagaError, Transient):
    """mosquitto has ended by itself."""


def write(settings: BrokerSettings) -> Path:
    """Write what mosquitto reads; the configuration's path. The passwords that are there stay."""
    folder = settings.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in (("nodes.acl", NODES_ACL), ("operators.acl", OPERATORS_ACL)):
        write_atomic(folder / name, text.encode(), mode=0o600)
    for name in ("operators.passwd", "cutting.passwd"):
        if not (folder / name).exists():
            write_atomic(folder / name, b"", mode=0o600)
    path = folder / "mosquitto.conf"
    write_atomic(path, configuration(settings).encode(), mode=0o600)
    return path


def set_cutting_password(folder: Path, password: str) -> None:
    """The password of this run for cutting nodes off; nobody else knows it."""
    write_atomic(folder / "cutting.passwd", b"", mode=0o600)
    _set_password(folder / "cutting.passwd", CUTTER, password)


def set_operator_password(folder: Path, client: str, password: str) -> None:
    """Give an operator's client its password, by mosquitto_passwd; `Broker.reload` puts it in force."""
    _set_password(folder / "operators.passwd", client, password)


def has_operator(folder: Path, client: str) -> bool:
    """Whether an operator's client has a password."""
    path = folder / "operators.passwd"
    return path.exists() and any(line.partition(":")[0] == client for line in path.read_text().splitlines())


def remove_operator(folder: Path, client: str) -> None:
    """Take an operator's client out of the password file; `Broker.reload` ends its connection too."""
    path = folder / "operators.passwd"
    lines = path.read_text().splitlines() if path.exists() else []
    others = [line for line in lines if line.partition(":")[0] != client]
    write_atomic(path, "".join(f"{line}\n" for line in others).encode(), mode=0o600)


def _set_password(path: Path, client: str, password: str) -> None:
    program = _program("mosquitto_passwd")
    # On the command line it would be seen by `ps`; the program also hashes a whole file of plain lines.
    plain = path.with_name(f".{path.name}.new")
    write_atomic(plain, f"{client}:{password}\n".encode(), mode=0o600)
    subprocess.run([program, "-U", str(plain)], check=True, capture_output=True, timeout=20)  # noqa: S603
    hashed = plain.read_text()
    plain.unlink()
    others = [line for line in path.read_text().splitlines() if line.partition(":")[0] != client]
    write_atomic(path, ("\n".join([*others, hashed.strip()]) + "\n").encode(), mode=0o600)


class Broker:
    """The worker that keeps mosquitto running."""

    def __init__(self, program: str, configuration_file: Path) -> None:
        self._command = [_program(program), "-c", str(configuration_file)]
        self._process: subprocess.Popen[bytes] | None = None

    def reload(self) -> None:
        """Let mosquitto read its password and access files again; connections stay."""
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def work(self, stop: Stop, heartbeat: Heartbeat) -> None:
        """Run mosquitto until asked to stop. Raises BrokerEnded when it ends by itself."""
        # TERM lets it save what it holds.
        command = tethered(self._command, signal.SIGTERM)
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:  # noqa: S603
            self._process = process
            log.info("broker started pid=%d", process.pid)
            try:
                while not stop.wait(POLL_S):
                    if process.poll() is not None:
                        raise BrokerEnded(
                            f"mosquitto ended with status {process.returncode}; see its lines above"
                        )
                    heartbeat.beat()
            finally:
                _end(process)


def run_as() -> str:
    """The user mosquitto keeps: ours. As root it would otherwise change to one that cannot read our files."""
    return "root" if os.geteuid() == 0 else getpass.getuser()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(END_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise ProgramMissing(f"{name} is not installed; install Debian's package mosquitto")
    return found
