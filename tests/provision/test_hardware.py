"""Pins, wires, parts and supplies of each build agree with each other."""

import csv
import tomllib
from pathlib import Path

import pytest

from siaga_edge.health.board import load

ROOT = Path(__file__).parents[2]
BUILDS = sorted(path.parent for path in (ROOT / "hardware").glob("*/bom.csv"))
# Header J8 of the Raspberry Pi (40 pins): BCM number -> header pin.
HEADER = {2: 3, 3: 5, 4: 7, 14: 8, 15: 10, 17: 11, 18: 12, 27: 13, 22: 15, 23: 16, 24: 18, 10: 19, 9: 21}
HEADER |= {25: 22, 11: 23, 8: 24, 7: 26, 0: 27, 1: 28, 5: 29, 6: 31, 12: 32, 13: 33, 19: 35, 16: 36, 26: 37}
HEADER |= {20: 38, 21: 40}
BUSES = {2, 3, 14, 15}  # I2C of the clock, UART of a modem HAT


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_there_is_a_build() -> None:
    assert BUILDS


def test_pins_are_where_the_header_has_them_and_leave_the_buses_free() -> None:
    for pin in load("pi4", ROOT / "firmware-config/boards").pins.values():
        assert HEADER[pin.bcm] == pin.header
        assert pin.bcm not in BUSES


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_every_wire_ends_at_a_part_and_at_a_role(build: Path) -> None:
    parts = {row["ref"] for row in table(build / "bom.csv")}
    roles = set(load("pi4", ROOT / "firmware-config/boards").pins)
    used = []
    for wire in table(build / "wiring.csv"):
        assert {wire["from"], wire["to"]} <= parts, wire
        if wire["from"] == "PI" and wire["from_pin"] in roles:
            used.append(wire["from_pin"])
    assert sorted(used) == sorted(roles)


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_parts_are_named_once_and_the_supplies_carry_the_worst_case(build: Path) -> None:
    parts = table(build / "bom.csv")
    assert len({row["ref"] for row in parts}) == len(parts)
    supply = tomllib.loads((build / "supply.toml").read_text())
    load_w = {rail: 0.0 for rail in supply["rail"]}
    for row in parts:
        if row["rail"]:
            load_w[row["rail"]] += float(row["worst_w"]) * int(row["quantity"])
    five = supply["rail"]["5V"]
    load_w["5V"] += load_w["3V3"]
    load_w["12V"] += load_w["5V"] / five["efficiency"]
    for rail, limits in supply["rail"].items():
        assert load_w[rail] <= limits["limit_w"] * limits.get("derating", 1.0), rail
    battery = supply["battery"]
    assert battery["capacity_wh"] * battery["usable"] / battery["typical_w"] >= battery["at_least_h"]
