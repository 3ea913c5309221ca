"""What a node says of itself, on the /proc and /sys of machines that are not this one."""

from pathlib import Path

import pytest

from siaga_core.wire.health import Level
from siaga_edge.health import readings, rules

THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
MOUNTS = """\
/dev/mmcblk0p2 / ext4 rw,noatime,errors=remount-ro 0 0
/dev/mmcblk0p1 /boot/firmware vfat rw,relatime 0 0
proc /proc proc ro,nosuid 0 0
tmpfs /run tmpfs ro,nosuid 0 0
/dev/loop0 /snap/core squashfs ro,nodev 0 0
/dev/sda1 /srv/my\\040footage xfs rw,noatime 0 0
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine that is well: a Pi at 48.3 °C with a good supply, up for an hour."""
    write(tmp_path / "proc/mounts", MOUNTS)
    write(tmp_path / "proc/uptime", "3600.25 14000.00\n")
    write(tmp_path / "sys/class/thermal/thermal_zone0/temp", "48312\n")
    write(tmp_path / THROTTLED, "0\n")
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def read(root: Path, **disks: Path) -> dict[str, float | None]:
    return dict(readings.read(disks, root))


def test_a_machine_that_is_well_says_so(root: Path) -> None:
    found = read(root, data=root)
    assert found["temperature_c"] == pytest.approx(48.312)
    assert (found["under_voltage_now"], found["under_voltage_since_boot"]) == (0, 0)
    assert found["read_only_mounts"] == 0
    for name in ("cpu_percent", "memory_percent", "disk_free_percent.data"):
        value = found[name]
        assert value is not None
        assert 0 <= value <= 100
    assert readings.uptime_s(root) == 3600.25


@pytest.mark.parametrize(
    ("text", "now", "since_boot"),
    [
        ("0", 0, 0),
        ("0x1", 1, 0),
        ("50005", 1, 1),  # under-voltage and throttled, now and before: what a Pi on a thin cable says
        ("0x50000", 0, 1),
        ("e000e", 0, 0),  # every other bit: capped, throttled, soft limit; the supply is good
        ("10000\n", 0, 1),
        ("20000", 0, 0),
    ],
)
def test_the_bits_of_the_firmware_tell_a_weak_supply(
    root: Path, text: str, now: int, since_boot: int
) -> None:
    write(root / THROTTLED, text)
    assert readings.under_voltage(root) == (now, since_boot)


def test_the_hottest_zone_counts_and_one_that_cannot_be_read_does_not_hide_it(root: Path) -> None:
    write(root / "sys/class/thermal/thermal_zone1/temp", "81500")
    write(root / "sys/class/thermal/thermal_zone2/temp", "")
    write(root / "sys/class/thermal/thermal_zone3/temp", "N/A")
    (root / "sys/class/thermal/thermal_zone4/temp").mkdir(parents=True)
    assert readings.temperature_c(root) == pytest.approx(81.5)


def test_below_zero_is_a_temperature(root: Path) -> None:
    write(root / "sys/class/thermal/thermal_zone0/temp", "-4000")
    assert readings.temperature_c(root) == -4


@pytest.mark.parametrize("text", ["", "VCHI initialization failed", "0xzz"])
def test_a_firmware_that_says_nonsense_is_unknown_and_not_well(root: Path, text: str) -> None:
    write(root / THROTTLED, text)
    assert readings.under_voltage(root) == (None, None)
    assert rules.judge("under_voltage_now", None, "ok").level == "unknown"


@pytest.mark.parametrize("junk", [b"\xff\xfe\x00", b"\x80"])
def test_bytes_that_are_no_text_stop_nothing(root: Path, junk: bytes) -> None:
    (root / THROTTLED).write_bytes(junk)
    (root / "sys/class/thermal/thermal_zone0/temp").write_bytes(junk)
    assert readings.under_voltage(root) == (None, None)
    assert readings.temperature_c(root) is None


def test_another_kind_of_machine_is_unknown_where_it_cannot_tell(root: Path) -> None:
    (root / THROTTLED).unlink()
    (root / "sys/class/thermal/thermal_zone0/temp").unlink()
    found = read(root, data=root, footage=root / "not/mounted")
    unknown = {name for name, value in found.items() if value is None}
    assert unknown == {
        "temperature_c",
        "under_voltage_now",
        "under_voltage_since_boot",
        "disk_free_percent.footage",
    }


def test_a_disk_that_turned_read_only_is_found_and_what_is_meant_to_be_is_not(root: Path) -> None:
    assert readings.read_only_mounts(root) == []
    write(root / "proc/mounts", MOUNTS.replace("xfs rw", "xfs ro").replace("ext4 rw", "ext4 ro"))
    assert readings.read_only_mounts(root) == ["/", "/srv/my\\040footage"]
    assert rules.judge("read_only_mounts", read(root)["read_only_mounts"], "ok").level == "crit"


@pytest.mark.parametrize("odd", [b"\n/dev/sdb1 /x\n", b"/dev/sdb1 /media/p\xeache vfat rw 0 0\n"])
def test_an_odd_line_of_mounts_hides_no_other(root: Path, odd: bytes) -> None:
    broken = MOUNTS.replace("ext4 rw", "ext4 ro").encode()
    (root / "proc/mounts").write_bytes(odd + broken)
    assert readings.read_only_mounts(root) == ["/"]


def test_a_machine_without_mounts_is_unknown_and_the_sample_goes_on(root: Path) -> None:
    (root / "proc/mounts").unlink()
    found = read(root)
    assert found["read_only_mounts"] is None
    assert found["temperature_c"] == pytest.approx(48.312)


def levels(values: list[float]) -> list[Level]:
    """The level of each temperature in turn, each judged after the one before it."""
    found: list[Level] = ["ok"]
    for value in values:
        found.append(rules.judge("temperature_c", value, found[-1]).level)
    return found[1:]


def test_this_machine_itself_can_be_read(tmp_path: Path) -> None:
    found = dict(readings.read({"data": tmp_path}))
    assert set(found) >= {"cpu_percent", "memory_percent", "temperature_c", "disk_free_percent.data"}
    assert readings.uptime_s() > 0


def test_a_sensor_fault_between_two_hot_readings_is_unknown_for_that_moment_alone() -> None:
    assert rules.judge("temperature_c", 81, "unknown").level == "crit"
    assert levels([60, 81, 60]) == ["ok", "crit", "ok"]
