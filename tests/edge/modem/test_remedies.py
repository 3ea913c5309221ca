"""What is done to a modem from outside, on a machine that is shown to it."""

from pathlib import Path

import pytest

from siaga_core.service.workers import Stop
from siaga_edge.inbox import power
from siaga_edge.inbox.power import PowerCut, is_cut
from siaga_edge.modem import profile
from siaga_edge.modem.remedies import LocalRemedies, Unavailable, usb_device
from siaga_edge.node import Modem
from support.clock import FakeClock

PROFILE = profile.load_all()["generic"]


def machine(folder: Path) -> tuple[Path, Path]:
    """A /sys with one modem on USB; the name of its AT port, and its USB device."""
    device = folder / "sys/devices/usb1/1-1"
    (device / "1-1:1.2/ttyUSB2/tty/ttyUSB2").mkdir(parents=True)
    for name, value in (("authorized", "1"), ("idVendor", "1e0e")):
        (device / name).write_text(value)
    shown = folder / "sys/class/tty/ttyUSB2"
    shown.mkdir(parents=True)
    (shown / "device").symlink_to(device / "1-1:1.2/ttyUSB2")
    (folder / "ttyUSB2").touch()
    (folder / "siaga-modem").symlink_to(folder / "ttyUSB2")
    return folder / "siaga-modem", device


def hands(folder: Path, port: Path, *, relay: bool = False, awake: bool = True) -> LocalRemedies:
    settings = Modem(port=str(port), power_relay=relay)
    sys_root = folder / "sys"
    return LocalRemedies(
        settings, folder / "run", FakeClock(), lambda: awake, second=False, sys_root=sys_root
    )


def test_the_usb_device_is_found_from_the_ports_lasting_name(tmp_path: Path) -> None:
    port, device = machine(tmp_path)
    assert usb_device(port, tmp_path / "sys") == device.resolve()
    assert usb_device(Path("/dev/ttyAMA0"), tmp_path / "sys") is None


def test_a_device_on_usb_is_taken_away_and_given_back(tmp_path: Path) -> None:
    port, device = machine(tmp_path)
    ours, stop = hands(tmp_path, port), Stop()
    stop.set()  # so that it does not wait
    with pytest.raises(Unavailable, match="not on USB"):
        ours.usb(stop)
    ours._usb = usb_device(port, tmp_path / "sys")
    assert "taken away and given back" in ours.usb(stop)
    assert (device / "authorized").read_text() == "1"
    (device / "authorized").unlink()
    (device / "authorized").mkdir()
    with pytest.raises(Unavailable, match=r"see 70-siaga\.rules"):
        ours.usb(stop)


def test_a_rung_that_this_node_lacks_is_not_offered(tmp_path: Path) -> None:
    port, _ = machine(tmp_path)
    assert set(hands(tmp_path, port).waits_s(PROFILE)) == {"drain", "reopen", "restart"}
    assert "power" in hands(tmp_path, port, relay=True).waits_s(PROFILE)


def test_the_power_is_asked_of_health_and_comes_back_by_itself(tmp_path: Path) -> None:
    port, _ = machine(tmp_path)
    hands(tmp_path, port, relay=True).power()
    lease = power.asked(tmp_path / "run")
    assert lease is not None
    assert is_cut(lease, 1.0)
    assert not is_cut(lease, lease.until_mono_s)
    assert not is_cut(PowerCut(until_mono_s=3600, reason="for ever"), 0), "nobody may ask for that"
    with pytest.raises(Unavailable, match="siaga-health does not run"):
        hands(tmp_path, port, relay=True, awake=False).power()
