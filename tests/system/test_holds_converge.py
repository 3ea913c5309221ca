"""A hold that was asked for ends confirmed or lost, whatever dies meanwhile, and what is held stays."""

import pytest
from bench.fuzz import Outcome
from bench.fuzz_holds import run

from powercut import disk

pytestmark = [
    pytest.mark.skipif(bool(disk.missing()), reason=f"no disk can be mounted: {disk.missing()}"),
    pytest.mark.timeout(900),
]


def _fails(outcome: Outcome) -> str:
    return "" if outcome.met and outcome.extra["deaths"] else str(outcome)


def test_holds_converge_through_deaths_of_broker_hub_uplink_and_recorder() -> None:
    assert _fails(run(2, 5)) == ""


@pytest.mark.slow
def test_held_footage_outlives_many_deaths() -> None:
    assert _fails(run(20, 7)) == ""
