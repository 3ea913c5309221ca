"""Cut the power at any moment: nothing acknowledged is lost, and each way to break that is noticed."""

import pytest

from powercut import disk
from powercut.campaign import Workload, run
from powercut.footage_work import Recording
from powercut.hub_work import Delivering, Storing
from powercut.mutants import MUTANTS, FilesNoDirectory, InboxEarly, JournalNormal, PubackDelivers
from powercut.node_work import Journaling, Marking, Publishing, Receiving, SendingOut, TakingIn
from powercut.relay_work import PassingOn

WORKLOADS: tuple[type[Workload], ...] = (
    Journaling,
    Receiving,
    Marking,
    Publishing,
    TakingIn,
    SendingOut,
    PassingOn,
    Storing,
    Delivering,
    Recording,
)
SEED = 20261124

pytestmark = [
    pytest.mark.skipif(bool(disk.missing()), reason=f"no disk can be recorded: {disk.missing()}"),
    pytest.mark.timeout(600),
]


def _fails(workload: type[Workload], cuts: int) -> str:
    verdict = run(workload(), cuts, SEED)
    assert verdict.cuts == cuts
    assert verdict.acknowledged > cuts
    return verdict.first


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one.name)
def test_what_was_acknowledged_outlives_a_power_cut(workload: type[Workload]) -> None:
    assert _fails(workload, 8) == ""


@pytest.mark.parametrize(
    "mutant", [JournalNormal, FilesNoDirectory, InboxEarly, PubackDelivers], ids=lambda one: one.name
)
def test_a_store_that_promises_too_early_is_found_out(mutant: type[Workload]) -> None:
    assert run(mutant(), 300, SEED, stop_at_first=True).caught


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda one: one.name)
def test_a_thousand_power_cuts_lose_nothing(workload: type[Workload]) -> None:
    assert _fails(workload, 1000 // len(WORKLOADS)) == ""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.name)
def test_every_mutant_is_found_out(mutant: type[Workload]) -> None:
    assert run(mutant(), 300, SEED, stop_at_first=True).caught
