"""Whether this modem's audio is known to work, both ways, since its port was opened. Pure.

A line that is picked up and stays mute makes a caller think that he was heard. So nothing is picked up on a
path that two trial calls in a row have not proved: some firmware has sound in the first call after a reset
and none in the second. The proof is gone with every doubt.
"""

from dataclasses import dataclass, replace

CALLS_LEAST = 2
TERM_S = 86_400.0
# Before the term is over it is tried again, so that answering does not stop every day.
RENEW_S = TERM_S - 3600.0
# Between the calls of one proof; the network and both modems let go of the first.
NEXT_CALL_S = 2.0
# After a call that came about and carried no sound: each costs money, and the sound seldom comes by itself.
AGAIN_MUTE_S = 3600.0
# After one that did not come about: the other modem was busy or away.
AGAIN_UNREACHED_S = 300.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known. `good` trial calls in a row; `why` says why there is no proof."""

    good: int = 0
    proved_mono_s: float | None = None
    next_mono_s: float = float("-inf")
    why: str = "not tried since the port was opened"


@dataclass(frozen=True, slots=True)
class Tried:
    """How a trial call went: `reached`, it came about; `heard`, both sides heard each other."""

    reached: bool
    heard: bool
    why: str = ""


def holds(proof: Proof, now_mono_s: float) -> bool:
    """Whether a call may be picked up."""
    return proof.proved_mono_s is not None and now_mono_s - proof.proved_mono_s < TERM_S


def is_due(proof: Proof, now_mono_s: float) -> bool:
    """Whether a trial call is wanted now."""
    if now_mono_s < proof.next_mono_s:
        return False
    if proof.good or proof.proved_mono_s is None:
        return True
    return now_mono_s - proof.proved_mono_s >= RENEW_S


def tried(proof: Proof, trial: Tried, now_mono_s: float) -> Proof:
    """After a trial call. A mute one ends the proof at once, one that did not come about lets it run out."""
    if not trial.reached:
        kept = proof.proved_mono_s
        return Proof(0, kept, now_mono_s + AGAIN_UNREACHED_S, trial.why if kept is None else "")
    if not trial.heard:
        return Proof(0, None, now_mono_s + AGAIN_MUTE_S, trial.why)
    good = proof.good + 1
    if good < CALLS_LEAST:
        why = "the second trial call is still to come"
        return replace(proof, good=good, next_mono_s=now_mono_s + NEXT_CALL_S, why=why)
    return Proof(0, now_mono_s, float("-inf"), "")


def void(why: str, next_mono_s: float = float("-inf")) -> Proof:
    """Nothing is known any more; tried again at `next_mono_s`."""
    return Proof(why=why, next_mono_s=next_mono_s)
