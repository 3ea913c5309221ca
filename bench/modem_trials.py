"""How long a modem's faults may take, and how long they took."""

from dataclasses import dataclass

from siaga_edge.modem.profile import Limits

DETECT_S, SOFT_S, POWER_S = 10.0, 20.0, 90.0
SEND_MOST_S = Limits().send_most_s
IN_A_SEND = ("hang in a send", "hang in a send until reset", "hang in a send until power")
FOR_GOOD = ("hang until reset", "hang until usb", "hang until power")
SILENT = ("hang for a while", *IN_A_SEND, *FOR_GOOD, "unplug")


@dataclass
class Trial:
    """One fault: when it began, when its cause was gone, when it was noticed and over."""

    kind: str
    began_s: float
    cause_ended_s: float | None = None
    noticed_s: float | None = None
    over_s: float | None = None
    # It began while the network was asked to take a text.
    sending: bool = False
    # ... after what a slow network may have been: then silence may mean nothing until send_most_s.
    patient: bool = False


def late(trials: list[Trial]) -> list[str]:
    """What took longer than it may."""
    found: list[str] = []
    for trial in trials:
        lasted_s = (trial.cause_ended_s or 10**9) - trial.began_s
        detect_s = SEND_MOST_S + 3.0 if trial.patient else DETECT_S
        if trial.noticed_s is None:
            if trial.kind in SILENT and lasted_s > detect_s:
                found.append(f"{trial.kind} at {trial.began_s:.1f}: not noticed")
        elif trial.noticed_s - trial.began_s > detect_s and trial.kind in SILENT:
            found.append(f"{trial.kind}: noticed after {trial.noticed_s - trial.began_s:.1f} s")
        if trial.over_s is not None and _recovery_s(trial) > _limit_s(trial):
            found.append(f"{trial.kind} at {trial.began_s:.1f}: over after {_recovery_s(trial):.1f} s")
    return found


def _recovery_s(trial: Trial) -> float:
    """From when it was noticed until all was well; for what ends by itself, from when its cause was gone.

    A send on a network known to be slow may not be disturbed (decision 0019): a hang that took its answer and
    is over before send_most_s looks like the network until then.
    """
    assert trial.over_s is not None
    noticed_s = trial.began_s if trial.noticed_s is None else trial.noticed_s
    if "until" in trial.kind:
        return trial.over_s - noticed_s
    gone_s = max(noticed_s, trial.cause_ended_s or 0.0)
    if trial.patient and trial.noticed_s is None:
        gone_s = max(gone_s, min(trial.over_s, trial.began_s + SEND_MOST_S))
    return trial.over_s - gone_s


def _limit_s(trial: Trial) -> float:
    return POWER_S if trial.kind.endswith(("until usb", "until power")) else SOFT_S


def worst(trials: list[Trial]) -> dict[str, float]:
    silent = [t for t in trials if t.noticed_s is not None and t.kind in SILENT]
    silence = [(t, t.noticed_s - t.began_s) for t in silent if t.noticed_s is not None]
    noticed = [seconds for one, seconds in silence if not one.sending]
    in_send = [seconds for one, seconds in silence if one.sending and not one.patient]
    patient = [seconds for one, seconds in silence if one.patient]
    soft = [_recovery_s(t) for t in trials if t.over_s is not None and _limit_s(t) == SOFT_S]
    hard = [_recovery_s(t) for t in trials if t.over_s is not None and _limit_s(t) == POWER_S]
    spans = {
        "detected_most_s": noticed,
        "detected_in_send_most_s": in_send,
        "detected_in_slow_send_most_s": patient,
        "soft_most_s": soft,
        "power_most_s": hard,
    }
    counts = {"hangs_in_send": len(in_send), "hangs_in_slow_send": len(patient)}
    return {**counts, **{name: round(max(found, default=0.0), 1) for name, found in spans.items()}}
