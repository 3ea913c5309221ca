"""Every service that exists has a unit that systemd finds flawless and tightly shut."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "systemd").glob("*.service"))
EXPOSURE_AT_MOST = 1.5


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A root with nothing but our units and programs of the names they start."""
    folder = tmp_path / "etc/systemd/system"
    folder.mkdir(parents=True)
    for unit in UNITS:
        shutil.copy(unit, folder)
    for opened in (ROOT / "systemd").glob("*.service.d"):
        shutil.copytree(opened, folder / opened.name)
    for program in ("python", "siaga-central"):
        path = tmp_path / "opt/siaga/current/bin" / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    return tmp_path


def analyze(installed: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """What systemd-analyze says of a unit in that root."""
    command = ["systemd-analyze", *words[:-1], f"--root={installed}", words[-1]]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_every_service_of_the_tree_has_a_unit_and_no_unit_is_without_a_service() -> None:
    services = {
        path.parent.name
        for path in (ROOT / "edge/siaga_edge").glob("*/__main__.py")
        if path.parent.name not in ("cli", "simulate")
    }
    assert {unit.stem.removeprefix("siaga-") for unit in UNITS} == services | {"central", "modemb"}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_has_nothing_to_say_against_a_unit(installed: Path, unit: Path) -> None:
    result = analyze(installed, "verify", "--man=no", unit.name)
    # It exits 0 on unknown keys, so what counts is that it says nothing; targets of a bare root are not ours.
    ours = [line for line in result.stderr.splitlines() if "siaga" in line and "not found" not in line]
    assert ours == []


def test_a_misspelt_key_would_be_noticed(installed: Path) -> None:
    unit = installed / "etc/systemd/system/siaga-modem.service"
    unit.write_text(unit.read_text().replace("WatchdogSec", "WachdogSec"))
    result = analyze(installed, "verify", "--man=no", unit.name)
    assert "WachdogSec" in result.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_tightly_shut(installed: Path, unit: Path) -> None:
    result = analyze(installed, "security", "--offline=true", unit.name)
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", result.stdout)
    assert level, result.stdout + result.stderr
    assert float(level[1]) <= EXPOSURE_AT_MOST


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_watched_and_started_again(unit: Path) -> None:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.read([ROOT / "systemd/siaga-.service.d/10-sandbox.conf", unit])
    assert parsed["Service"]["Type"] == "notify"
    assert int(parsed["Service"]["WatchdogSec"]) <= 30
    assert parsed["Service"]["Restart"] == "always"
    assert f"`{unit.stem}`" in (ROOT / "systemd/README.md").read_text()


@pytest.mark.parametrize("service", ["health", "modem", "modemb"])
def test_a_service_whose_stamps_count_may_ask_how_wrong_the_clock_is_and_set_nothing(
    installed: Path, service: str
) -> None:
    result = analyze(installed, "security", "--offline=true", f"siaga-{service}.service")
    told = result.stdout
    assert re.search(r"✗ SystemCallFilter=~@clock", told), told
    assert re.search(r"✓ CapabilityBoundingSet=~CAP_SYS_TIME", told), told


def test_the_second_modems_unit_differs_from_the_firsts_in_its_device_and_its_name_alone() -> None:
    first, second = ((ROOT / f"systemd/siaga-{name}.service").read_text() for name in ("modem", "modemb"))
    made = first.replace("siaga_edge.modem --config", "siaga_edge.modem --second --config")
    made = made.replace(r"dev-siaga\x2dmodem.device", r"dev-siaga\x2dmodemb.device")
    made = made.replace("/dev/siaga-modem ", "/dev/siaga-modemb ")
    made = made.replace("Siaga modem:", "Siaga second modem:")
    assert second == made
    clocks = [ROOT / f"systemd/siaga-{name}.service.d/20-clock.conf" for name in ("modem", "modemb")]
    assert clocks[0].read_text() == clocks[1].read_text()


@pytest.mark.parametrize("service", ["modem", "modemb"])
def test_a_modems_unit_may_write_devices_settings_and_udev_gives_it_the_switch_alone(service: str) -> None:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    folder = ROOT / "systemd"
    parsed.read([folder / "siaga-.service.d/10-sandbox.conf", folder / f"siaga-{service}.service"])
    unit = parsed["Service"]
    assert (unit["ProtectKernelTunables"], unit["User"]) == ("yes", "siaga-modem")
    assert unit["ReadWritePaths"].split() == ["/var/lib/siaga", "/run/siaga", "-/sys/devices"]
    rules = (ROOT / "firmware-config/os/udev/70-siaga.rules").read_text()
    given = [line for line in rules.splitlines() if "RUN+=" in line]
    assert len(given) == 4
    for line in given:
        assert 'ENV{DEVTYPE}=="usb_device"' in line
        assert line.endswith('RUN+="/bin/chown siaga-modem /sys$devpath/authorized"')
    ids = set(re.findall(r'ATTRS\{idVendor\}=="(\w+)", ATTRS\{idProduct\}=="(\w+)"', rules))
    assert ids == set(re.findall(r'ATTR\{idVendor\}=="(\w+)", ATTR\{idProduct\}=="(\w+)"', rules))
