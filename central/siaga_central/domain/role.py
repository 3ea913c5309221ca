"""Who may do what: roles times permissions, as data (SOP X.8–X.11, rows R15–R19)."""

from enum import StrEnum


class Permission(StrEnum):
    """One thing somebody may do on the console, or by a client of their own."""

    SEE_INCIDENTS = "see incidents"
    HANDLE_INCIDENTS = "handle incidents"
    ENTER_CALLS = "enter calls"
    ANSWER_REPORTERS = "answer reporters"
    SETTLE_CALLBACKS = "settle call-backs"
    SEE_PICTURES = "see pictures"
    ASK_CLIPS = "ask for clips"
    WATCH_CLIPS = "watch clips"
    SEARCH_FOOTAGE = "search for footage"
    HOLD_FOOTAGE = "hold footage"
    RELEASE_FOOTAGE = "release held footage"
    GRANT_COPIES = "let footage be copied at its node"
    CHANGE_ROSTER = "change the duty roster"
    SEE_DEVICES = "see devices"
    SEE_QUARANTINE = "see quarantine"
    ACKNOWLEDGE_ALERTS = "acknowledge alerts"
    SEE_NUMBERS = "see telephone numbers of open incidents"


_P = Permission
_OPERATOR = frozenset(
    {
        _P.SEE_INCIDENTS,
        _P.HANDLE_INCIDENTS,
        _P.ENTER_CALLS,
        _P.ANSWER_REPORTERS,
        _P.SETTLE_CALLBACKS,
        _P.SEE_PICTURES,
        _P.ASK_CLIPS,
        _P.WATCH_CLIPS,
        _P.SEARCH_FOOTAGE,
        _P.HOLD_FOOTAGE,
        _P.SEE_DEVICES,
        _P.SEE_QUARANTINE,
        _P.ACKNOWLEDGE_ALERTS,
        _P.SEE_NUMBERS,
    }
)
_SUPERVISOR = frozenset({_P.RELEASE_FOOTAGE, _P.GRANT_COPIES, _P.CHANGE_ROSTER})
# The whole truth: a role that is not named for a permission does not have it.
MATRIX: dict[str, frozenset[Permission]] = {
    "operator": _OPERATOR,
    "supervisor": _OPERATOR | _SUPERVISOR,
    "deputy": _OPERATOR | _SUPERVISOR,
    "head": frozenset({_P.SEE_INCIDENTS, _P.ACKNOWLEDGE_ALERTS, _P.SEE_DEVICES, _P.SEE_QUARANTINE}),
    "technician": frozenset({_P.SEE_DEVICES, _P.SEE_QUARANTINE}),
    "admin": frozenset({_P.SEE_DEVICES, _P.SEE_QUARANTINE}),
    "ppid": frozenset(),
}
ROLES = tuple(MATRIX)


def allows(role: str, permission: Permission) -> bool:
    """Whether `role` has `permission`; an unknown role has none."""
    return permission in MATRIX.get(role, frozenset())
