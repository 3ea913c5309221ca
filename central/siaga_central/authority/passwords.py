"""Passwords: made here in a form that people can type, kept by argon2id."""

import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

# RFC 9106 §4, second recommended option: 64 MiB, three passes, four lanes.
_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
# Two at a time: a flood of logins must not take the hub's memory.
_SLOTS = threading.Semaphore(2)
# Checked when the account does not exist, so that the answer takes as long as for one that does.
NOBODY = _HASHER.hash("nobody has this password")
# Without look-alikes (i l o u, as Crockford's base 32): read off a screen, said over the telephone, typed on
# a ladder. None begins with a hyphen, which a command line takes for an option.
_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_GROUP = 5


def new_password(groups: int = 4) -> str:
    """A new secret of `groups` times 25 bits, such as `7kx2m-9c0re-tt41q-w8z5h`."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP)) for _ in range(groups))


def hash_password(password: str) -> str:
    """Return the hash to be kept."""
    with _SLOTS:
        return _HASHER.hash(password)


def verify(hashed: str, password: str) -> bool:
    """Whether `password` is the one behind `hashed`; False also for what is no hash or no text."""
    with _SLOTS:
        try:
            return _HASHER.verify(hashed, password)
        except (VerificationError, InvalidHashError, UnicodeError):
            return False
