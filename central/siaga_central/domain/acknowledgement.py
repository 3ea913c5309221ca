"""Whether somebody's acknowledgement of an alert counts. Pure."""

from dataclasses import dataclass
from typing import Literal

from siaga_central.domain import incident as life
from siaga_central.domain.role import Permission, allows

# Words of the wire (siaga_core.wire.acknowledgement.Reason).
Why = Literal["", "client", "role", "incident", "closed", "taken"]


@dataclass(frozen=True, slots=True)
class Account:
    """Who stands behind a client; None in `expires_us`: for good."""

    name: str
    role: str
    disabled: bool
    expires_us: int | None


def judge(account: Account | None, state: str | None, taken_by: str | None, now_us: int) -> tuple[Why, str]:
    """("", "") when it counts, else one stable word and a sentence that says what to do.

    `account` is None for a client that is not registered or was removed, `state` for an unknown incident.
    """
    if account is None:
        return "client", "this client is not registered; ask an administrator for credentials"
    if account.disabled or (account.expires_us is not None and account.expires_us <= now_us):
        return "client", f"the account {account.name} is closed; ask an administrator"
    if not allows(account.role, Permission.ACKNOWLEDGE_ALERTS):
        return "role", f"a {account.role} may not acknowledge alerts; call an operator"
    if state is None:
        return "incident", "there is no such incident; take its id from the alert's topic"
    if not life.is_open(state):
        return "closed", f"the incident is {state}; nothing is left to acknowledge"
    if taken_by is not None and taken_by != account.name:
        return "taken", f"{taken_by} has the incident; taking it over is done on the console"
    return "", ""
