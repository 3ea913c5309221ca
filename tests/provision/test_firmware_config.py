"""Boot, kernel and device settings: known keys, no contradiction, within the board's limits."""

import re
import subprocess
from pathlib import Path

import pytest

from siaga_edge.health.board import load
from support.container import blank_root

CONFIG = Path(__file__).parents[2] / "firmware-config"
FRAGMENTS = sorted((CONFIG / "rpi/config.d").glob("*.txt"))
KEYS = {"dtparam", "dtoverlay", "enable_uart", "gpu_mem", "disable_splash"}
FILTERS = {"all", "pi4", "cm4", "pi5"}


def settings() -> list[tuple[str, str, str, str]]:
    """(file, section, key, value) of every line of config.txt."""
    found = []
    for path in FRAGMENTS:
        section = ""
        for line in path.read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            if head := re.fullmatch(r"\[(\w+)\]", line):
                section = head[1]
                continue
            key, _, value = line.partition("=")
            found.append((path.name, section, key, value))
    return found


def test_config_txt_has_known_keys_in_known_sections_and_no_contradiction() -> None:
    single: dict[tuple[str, str], str] = {}
    for name, section, key, value in settings():
        assert section in FILTERS, name
        assert key in KEYS, (name, key)
        assert value, (name, key)
        assert " " not in key + value, (name, key)
        if key not in ("dtparam", "dtoverlay"):
            assert single.setdefault((section, key), value) == value, (name, key)


def test_every_fragment_ends_for_all_boards() -> None:
    for path in FRAGMENTS:
        sections = re.findall(r"^\[(\w+)\]$", path.read_text(), re.MULTILINE)
        assert sections[-1] == "all", path.name


def test_the_watchdog_is_on_and_within_the_boards_limit() -> None:
    text = (CONFIG / "os/system.conf.d/10-siaga-watchdog.conf").read_text()
    asked = [int(number) for number in re.findall(r"^\w+WatchdogSec=(\d+)s$", text, re.MULTILINE)]
    limit_s = load("pi4", CONFIG / "boards").watchdog_max_s
    assert len(asked) == 2
    assert all(number < limit_s for number in asked)
    assert any(key == "dtparam" and value == "watchdog=on" for _, _, key, value in settings())


def test_bluetooth_leaves_the_uart_that_the_board_names() -> None:
    assert load("pi4", CONFIG / "boards").uart == "/dev/ttyAMA0"
    assert ("20-uart-modem.txt", "all", "dtoverlay", "disable-bt") in settings()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_udev_itself_finds_nothing_wrong_with_the_rules(tmp_path: Path) -> None:
    """`udevadm verify` came with systemd 254; Debian 13 has it."""
    root = blank_root(tmp_path / "trixie", "trixie")
    target = root / "etc/udev/rules.d/70-siaga.rules"
    command = [
        "chroot",
        str(root),
        "udevadm",
        "verify",
        "--resolve-names=never",
        f"/{target.relative_to(root)}",
    ]
    target.write_text((CONFIG / "os/udev/70-siaga.rules").read_text())
    good = subprocess.run(command, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout + good.stderr
    target.write_text('KERNEL=="ttyUSB*", SYMLNK+="x"\n')
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
