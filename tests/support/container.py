"""A blank Debian in a folder, booted by systemd-nspawn: what a node or a hub looks like before us."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("systemd", "systemd-sysv", "udev", "dbus", "python3", "ca-certificates", "apt")


def blank_root(folder: Path, suite: str = "bookworm", packages: tuple[str, ...] = PACKAGES) -> Path:
    """Make a blank root file system in `folder`; the tar behind it is kept in the user's cache."""
    folder.mkdir(parents=True)
    subprocess.run(
        ["tar", "--numeric-owner", "-xpf", str(_tarball(suite, packages)), "-C", str(folder)], check=True
    )
    shutil.copy("/etc/resolv.conf", folder / "etc" / "resolv.conf")
    # Debian's installer writes it; a minimal root has none, and no name service that knows the name either.
    (folder / "etc" / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    return folder


def _tarball(suite: str, packages: tuple[str, ...]) -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "siaga-tests"
    cache.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(" ".join((suite, *packages)).encode()).hexdigest()[:16]
    tar = cache / f"{suite}-{key}.tar"
    if not tar.exists():
        part = tar.with_suffix(".part.tar")
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}", suite]
        subprocess.run([*command, str(part), *_sources(suite)], check=True, capture_output=True, timeout=400)
        part.rename(tar)
    return tar


def _sources(suite: str) -> list[str]:
    """The mirror this machine itself installs Debian from, for `suite`."""
    own = platform.freedesktop_os_release()["VERSION_CODENAME"]
    text = "\n\n".join(
        path.read_text()
        for path in [*sorted(Path("/etc/apt").glob("sources.list.d/*")), Path("/etc/apt/sources.list")]
        if path.is_file()
    )
    for stanza in re.split(r"\n\s*\n", text):
        keys = dict(re.findall(r"^(\w+):[ \t]*(.+)$", stanza, re.MULTILINE))
        if own in keys.get("Suites", "").split():
            return [f"deb {keys['URIs'].split()[0]} {suite} main"]
    if found := re.search(rf"^deb (?:\[[^]]*\] )?(\S+) {own} .*\bmain\b", text, re.MULTILINE):
        return [f"deb {found[1]} {suite} main"]
    return []


@dataclass
class Container:
    """A booted root."""

    root: Path
    leader: int

    def run(self, *command: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root."""
        enter = ["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, timeout=timeout_s, check=False
        )


@contextmanager
def booted(root: Path, *arguments: str, limit_s: float = 60) -> Iterator[Container]:
    """Boot `root` with systemd as its first process; end it at the end."""
    command = ["systemd-nspawn", "--quiet", "--directory", str(root), "--register=no", "--keep-unit"]
    command += ["--private-network", *arguments, "--boot", "--console=pipe"]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as nspawn:
        leader = _leader(nspawn.pid, limit_s)
        container = Container(root, leader)
        try:
            _wait_until_running(container, limit_s)
            yield container
        finally:
            subprocess.run(["kill", "-s", "RTMIN+4", str(leader)], check=False)
            try:
                nspawn.wait(timeout=20)
            except subprocess.TimeoutExpired:
                nspawn.kill()


def _leader(nspawn_pid: int, limit_s: float) -> int:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        children = Path(f"/proc/{nspawn_pid}/task/{nspawn_pid}/children")
        pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
        # Its first child only sets things up; the one that has become systemd is the container.
        if started := [pid for pid in pids if _name(pid) in ("systemd", "init")]:
            return started[0]
        time.sleep(0.05)
    raise AssertionError("the container did not start")


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _wait_until_running(container: Container, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    state = ""
    while time.monotonic() < deadline:
        state = container.run("systemctl", "is-system-running").stdout.strip()
        if state in ("running", "degraded"):
            return
        time.sleep(0.1)
    raise AssertionError(f"the container did not come up: {state}")
