"""The second place: a folder of encrypted objects, each written whole or not at all.

Encrypted for a key that the hub does not have (age, X25519): who steals the hub or the place reads nothing.
The one module that knows pyrage; the `age` program of Debian reads the same files.
"""

from pathlib import Path

import pyrage
from pyrage import x25519

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.files import sync_directory, sync_file, write_atomic

SUFFIX = ".age"


class VaultAway(SiagaError, Transient):
    """The second place cannot be reached or written now."""


class WrongKey(SiagaError):
    """A key that is none, or that does not open this."""


def make_key() -> tuple[str, str]:
    """(secret key, public key) as age writes them."""
    identity = x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def public_key(text: str) -> str:
    """`text`, if it is a public key of age. Raises WrongKey."""
    try:
        return str(x25519.Recipient.from_str(text.strip()))
    except pyrage.RecipientError as error:
        raise WrongKey("the backup's key must be a public key of age (age1…)") from error


class Vault:
    """Writes objects; cannot read them."""

    def __init__(self, folder: Path, recipient: str) -> None:
        """Raises WrongKey."""
        self.folder = folder
        self._recipient = x25519.Recipient.from_str(public_key(recipient))

    def put(self, name: str, octets: bytes) -> int:
        """Keep an object; durable when this returns. Its encrypted size. Raises VaultAway."""
        sealed = pyrage.encrypt(octets, [self._recipient])
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / f"{name}{SUFFIX}", sealed, mode=0o600)
        except OSError as error:
            raise VaultAway(
                f"{self.folder} cannot be written ({error}); is it mounted and not full?"
            ) from error
        return len(sealed)

    def put_file(self, name: str, source: Path) -> int:
        """Like `put`, for a file of any size."""
        path = self.folder / f"{name}{SUFFIX}"
        part = path.with_name(f".{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            pyrage.encrypt_file(str(source), str(part), [self._recipient])
            sync_file(part)
            part.replace(path)
            sync_directory(path.parent)
            return path.stat().st_size
        except (OSError, pyrage.EncryptError) as error:
            raise VaultAway(
                f"{self.folder} cannot be written ({error}); is it mounted and not full?"
            ) from error

    def names(self) -> list[str]:
        """Every object, in order of its name. Raises VaultAway."""
        return names(self.folder)

    def remove(self, name: str) -> None:
        """Forget an object that a newer base has made needless."""
        try:
            (self.folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
        except OSError as error:
            raise VaultAway(f"{self.folder} cannot be written ({error})") from error


class OpenVault:
    """Reads objects, with the secret key."""

    def __init__(self, folder: Path, secret: str) -> None:
        """Raises WrongKey."""
        self.folder = folder
        try:
            self._identity = x25519.Identity.from_str(secret.strip())
        except pyrage.IdentityError as error:
            raise WrongKey("this is no secret key of age (AGE-SECRET-KEY-1…)") from error

    def names(self) -> list[str]:
        """Every object, in order of its name. Raises VaultAway."""
        return names(self.folder)

    def get(self, name: str) -> bytes:
        """An object as it was put. Raises WrongKey, also for a damaged one; VaultAway."""
        try:
            sealed = (self.folder / f"{name}{SUFFIX}").read_bytes()
        except OSError as error:
            raise VaultAway(f"{self.folder} cannot be read ({error}); is it mounted?") from error
        try:
            return bytes(pyrage.decrypt(sealed, [self._identity]))
        except pyrage.DecryptError as error:
            raise WrongKey(f"{name} does not open with this key, or it is damaged ({error})") from error

    def get_file(self, name: str, target: Path) -> None:
        """Like `get`, into a file; durable when this returns."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            pyrage.decrypt_file(str(self.folder / f"{name}{SUFFIX}"), str(target), [self._identity])
        except pyrage.DecryptError as error:
            raise WrongKey(f"{name} does not open with this key, or it is damaged ({error})") from error
        except OSError as error:
            raise VaultAway(f"{self.folder} cannot be read ({error}); is it mounted?") from error
        sync_file(target)


def names(folder: Path) -> list[str]:
    """Every object of a folder, in order of its name."""
    try:
        found = [str(path.relative_to(folder)) for path in folder.rglob(f"*{SUFFIX}")]
    except OSError as error:
        raise VaultAway(f"{folder} cannot be read ({error}); is it mounted?") from error
    return sorted(name.removesuffix(SUFFIX) for name in found if not Path(name).name.startswith("."))
