"""The authority's files: an offline-able root, the issuer that signs, and what the hub's own servers show.

`ca.pem` is the root, which nodes and clients pin. `export_root` moves `root.key` off the hub, into a safe,
once `init` is done; the issuer signs everything after that.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from siaga_central.authority import certificates as make
from siaga_core.errors import SiagaError
from siaga_core.service.files import sync_directory, write_atomic

HUB_NAME = "hub"


class AuthorityMissing(SiagaError):
    """There is no authority yet."""


class RootGone(SiagaError):
    """The root's key is not where it was looked for."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A signed leaf."""

    certificate: x509.Certificate
    certificate_pem: str
    chain_pem: str

    @property
    def serial(self) -> str:
        """Serial number, hexadecimal, as certificates are listed."""
        return format(self.certificate.serial_number, "x")


class Authority:
    """The issuer in use."""

    def __init__(self, folder: Path) -> None:
        """Open an authority made by `create`. Raises AuthorityMissing."""
        self._folder = folder
        try:
            self._issuer = x509.load_pem_x509_certificate((folder / "issuer.pem").read_bytes())
            self._key = make.load_key((folder / "issuer.key").read_bytes())
            self._root = x509.load_pem_x509_certificate(self.ca_file.read_bytes())
        except FileNotFoundError as error:
            raise AuthorityMissing(f"{folder} holds no authority; run siaga-central init first") from error

    @classmethod
    def create(cls, folder: Path, city: str, now: datetime) -> "Authority":
        """Make root, issuer and an empty revocation list; what is there already stays."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        if not (folder / "issuer.pem").exists():
            root_key, issuer_key = make.new_key(), make.new_key()
            root = make.make_authority(f"Siaga {city} root", root_key, now, make.ROOT_DAYS)
            issuer = make.make_authority(
                f"Siaga {city} issuer", issuer_key, now, make.ISSUER_DAYS, (root, root_key)
            )
            _secret(folder / "root.key", make.key_pem(root_key))
            _secret(folder / "issuer.key", make.key_pem(issuer_key))
            write_atomic(folder / "ca.pem", make.pem(root))
            write_atomic(folder / "issuer.pem", make.pem(issuer))
        authority = cls(folder)
        authority.write_crl([], now)
        return authority

    @property
    def ca_file(self) -> Path:
        """The root's certificate: what nodes and clients pin."""
        return self._folder / "ca.pem"

    @property
    def bundle_file(self) -> Path:
        """Root and issuer: what servers check clients against."""
        return self._folder / "bundle.pem"

    @property
    def crl_file(self) -> Path:
        """The revocation list."""
        return self._folder / "crl.pem"

    @property
    def ca_sha256(self) -> str:
        """The root's fingerprint, for a technician to compare."""
        return self._root.fingerprint(hashes.SHA256()).hex()

    @property
    def root_is_here(self) -> bool:
        """Whether the root's key still lies on the hub; whoever takes the hub could then make another hub."""
        return (self._folder / "root.key").exists()

    def export_root(self, target: Path, passphrase: bytes) -> None:
        """Put the root's key, sealed with a passphrase, into `target`, read it back, then forget it here.

        Everything but a new issuer works without it. Raises RootGone, FileExistsError.
        """
        here = self._folder / "root.key"
        if not here.exists():
            raise RootGone("the root's key is not on this hub any more; it was exported before")
        if target.exists():
            raise FileExistsError(f"{target} exists; name a new file")
        key = make.load_key(here.read_bytes())
        write_atomic(target, make.sealed_key_pem(key, passphrase), mode=0o600)
        if make.load_key(target.read_bytes(), passphrase).public_key() != self._root.public_key():
            raise RootGone(f"{target} does not hold the root's key; nothing was removed here")
        here.unlink()
        sync_directory(self._folder)

    def issue_node(self, node: str, key: ec.EllipticCurvePublicKey, now: datetime) -> Issued:
        """Sign a node's certificate: CN = node id, for clients only."""
        return self._issued(make.make_leaf(node, key, (self._issuer, self._key), now))

    def own(
        self, purpose: str, now: datetime, server_names: Sequence[str] = (), *, signing: bool = False
    ) -> tuple[Path, Path]:
        """Certificate chain and key of one of the hub's own ends; made anew when old or for other names."""
        chain, key_file = self._folder / f"{purpose}.pem", self._folder / f"{purpose}.key"
        if not key_file.exists():
            _secret(key_file, make.key_pem(make.new_key()))
        key = make.load_key(key_file.read_bytes())
        if not _is_fresh(chain, now, server_names):
            name = HUB_NAME if not server_names else server_names[0]
            leaf = make.make_leaf(
                name,
                key.public_key(),
                (self._issuer, self._key),
                now,
                server_names=server_names,
                signing=signing,
            )
            write_atomic(chain, make.pem(leaf) + make.pem(self._issuer))
        return chain, key_file

    def write_crl(self, revoked: Sequence[tuple[str, int]], now: datetime) -> None:
        """Publish the revocation list; `revoked` are hexadecimal serials with Unix microseconds."""
        entries = [(int(serial, 16), datetime.fromtimestamp(at_us / 1e6, UTC)) for serial, at_us in revoked]
        crl = make.make_crl((self._issuer, self._key), entries, now)
        write_atomic(self.crl_file, crl.public_bytes(serialization.Encoding.PEM))
        write_atomic(self.bundle_file, make.pem(self._issuer) + make.pem(self._root))

    def crl_span(self) -> tuple[datetime | None, datetime | None]:
        """When the published revocation list was made and when it expires; (None, None) if there is none."""
        try:
            crl = x509.load_pem_x509_crl(self.crl_file.read_bytes())
        except (FileNotFoundError, ValueError):
            return None, None
        return crl.last_update_utc + make.BACKDATED, crl.next_update_utc

    def renewable(self, certificate_pem: str) -> tuple[str, str, ec.EllipticCurvePublicKey]:
        """(node, serial, key) of a certificate that this authority has made, whatever its dates say.

        Raises BadRequest for any other.
        """
        return make.read_issued(certificate_pem.encode(), self._issuer)

    def _issued(self, certificate: x509.Certificate) -> Issued:
        return Issued(certificate, make.pem(certificate).decode(), make.pem(self._issuer).decode())


def _is_fresh(chain: Path, now: datetime, server_names: Sequence[str]) -> bool:
    """Whether a certificate of ours is good for another month and for exactly these names."""
    try:
        leaf = x509.load_pem_x509_certificate(chain.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    if (leaf.not_valid_after_utc - now).days < 30:
        return False
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not server_names
    return {str(name.value) for name in names} == set(server_names)


def _secret(path: Path, content: bytes) -> None:
    write_atomic(path, content, mode=0o600)
    os.chmod(path, 0o600)  # noqa: PTH101 - explicit: a key is never readable by others
