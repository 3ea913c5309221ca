"""What every order works on, and what every order asks first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from siaga_central.authority.authority import Authority
from siaga_central.hub import HubConfig
from siaga_central.store import users
from siaga_central.store.writer import Store
from siaga_core.errors import SiagaError
from siaga_core.service.clock import Clock

PASSWORD_LEAST = 10
ADMIN = "admin"
Answer = dict[str, Any]


class Refused(SiagaError):
    """An order that cannot be carried out."""


@dataclass(frozen=True, slots=True)
class Office:
    """What orders work on."""

    config: HubConfig
    store: Store
    authority: Authority
    clock: Clock
    reload_broker: Callable[[], None]
    cut_off: Callable[[str], None] = lambda _node: None

    def now_us(self) -> int:
        """Unix microseconds UTC."""
        return self.clock.wall_ns() // 1000


def good_password(password: str) -> str:
    """Return a password that is long enough. Raises Refused."""
    if len(password) < PASSWORD_LEAST:
        raise Refused(f"a password has at least {PASSWORD_LEAST} characters")
    return password


def known_user(office: Office, name: str) -> None:
    """Raise Refused when there is no account of this name."""
    with office.store.read() as connection:
        if users.find(connection, name) is None:
            raise Refused(f"there is no account {name}")
