"""Nothing is picked up before two trial calls in a row, and never on a proof that may not hold any more."""

from dataclasses import replace

from siaga_edge.modem import proof
from siaga_edge.modem.proof import Proof, Tried

GOOD, MUTE = Tried(reached=True, heard=True), Tried(reached=True, heard=False, why="no tone came through")
AWAY = Tried(reached=False, heard=False, why="the trial call did not come")


def after(*trials: Tried, start: Proof | None = None, at_s: float = 100.0) -> Proof:
    found = start or Proof()
    for trial in trials:
        found = proof.tried(found, trial, at_s)
    return found


def test_one_good_call_proves_nothing_two_in_a_row_do() -> None:
    assert not proof.holds(after(GOOD), 100)
    assert proof.holds(after(GOOD, GOOD), 100)
    assert not proof.holds(after(GOOD, MUTE, GOOD), 100), "the second call of some firmware is dead"
    assert not proof.holds(after(GOOD, AWAY, GOOD), 100)


def test_it_lasts_a_day_and_is_renewed_before() -> None:
    proved = after(GOOD, GOOD)
    assert proof.holds(proved, 100 + proof.TERM_S - 1)
    assert not proof.holds(proved, 100 + proof.TERM_S)
    assert not proof.is_due(proved, 100 + proof.RENEW_S - 1)
    assert proof.is_due(proved, 100 + proof.RENEW_S)
    once = after(GOOD, start=proved, at_s=100 + proof.RENEW_S)
    assert proof.holds(once, 100 + proof.RENEW_S), "answering goes on while it is renewed"
    assert proof.holds(after(GOOD, start=once, at_s=100 + proof.RENEW_S + 9), 100 + proof.TERM_S + 9)


def test_a_mute_trial_ends_it_at_once_one_that_did_not_come_about_does_not() -> None:
    proved = after(GOOD, GOOD)
    assert not proof.holds(after(MUTE, start=proved), 101)
    assert after(MUTE, start=proved).why == "no tone came through"
    assert proof.holds(after(AWAY, start=proved), 101)
    assert not proof.holds(after(AWAY, start=proved), 100 + proof.TERM_S)


def test_what_failed_is_tried_again_later_and_not_without_end() -> None:
    for trial, again_s in ((MUTE, proof.AGAIN_MUTE_S), (AWAY, proof.AGAIN_UNREACHED_S)):
        failed = after(trial)
        assert not proof.is_due(failed, 100 + again_s - 1)
        assert proof.is_due(failed, 100 + again_s)
    assert proof.is_due(Proof(), 0)
    assert proof.is_due(after(GOOD), 100 + proof.NEXT_CALL_S)


def test_a_doubt_leaves_nothing_of_it() -> None:
    assert proof.void("the modem restarted") == replace(Proof(), why="the modem restarted")
    assert not proof.holds(proof.void("x"), 0)
