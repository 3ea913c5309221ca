"""Making and checking seals: ECDSA P-256 by the keys that certificates are made for."""

from collections.abc import Callable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from siaga_core.errors import SiagaError
from siaga_core.wire import seal
from siaga_core.wire.envelope import BadRecord

PublicKey = ec.EllipticCurvePublicKey
_ALGORITHM = ec.ECDSA(hashes.SHA256())
_HALF = seal.SIGNATURE_BYTES // 2


class BadChain(SiagaError):
    """A signing certificate that does not come from the pinned authority."""


class BadKey(SiagaError):
    """A key file that holds no P-256 key."""


class Signer:
    """Seals messages with one private key, which never leaves it."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.key_id = key_id(key.public_key())

    @classmethod
    def load(cls, path: Path) -> "Signer":
        """Read a PEM key. Raises BadKey."""
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise BadKey(f"key {path} cannot be read: {error}; enrol this node again") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise BadKey(f"key {path} is no P-256 key; enrol this node again")
        return cls(key)

    def seal(self, topic: str, message: bytes) -> bytes:
        """The message as it travels on `topic`."""
        flags, content = seal.prepare(message)
        signature = self.sign(seal.signed_octets(topic, content, flags))
        return seal.pack(seal.Sealed(self.key_id, signature, flags, content))

    def sign(self, octets: bytes) -> bytes:
        """The signature over `octets`: r and s, 32 bytes each."""
        r, s = decode_dss_signature(self._key.sign(octets, _ALGORITHM))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def key_id(key: PublicKey) -> bytes:
    """The 8 bytes by which a seal names its key."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return digest.finalize()[: seal.KEY_ID_BYTES]


def opened(
    topic: str,
    payload: bytes,
    key_of: Callable[[bytes], PublicKey | None],
    *,
    most_bytes: int,
    inflated_most_bytes: int,
) -> bytes:
    """The message in a sealed payload whose key `key_of` knows.

    Raises BadRecord: `oversized`, `version`, `seal` (not sealed, or broken), `stranger` (a key that is not
    known here) or `forged` (the signature is not that key's, or was made for another topic).
    """
    sealed = seal.unpack(payload, most_bytes)
    key = key_of(sealed.key_id)
    if key is None:
        raise BadRecord("stranger", f"sealed with a key that is not known here: {sealed.key_id.hex()}")
    if not is_signed(key, sealed.signature, seal.signed_octets(topic, sealed.content, sealed.flags)):
        raise BadRecord("forged", f"the signature is not that of key {sealed.key_id.hex()} for {topic}")
    return seal.expand(sealed, inflated_most_bytes)


def is_signed(key: PublicKey, signature: bytes, octets: bytes) -> bool:
    """Whether `signature` (r and s) over `octets` was made with `key`."""
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.verify(encode_dss_signature(r, s), octets, _ALGORITHM)
    except InvalidSignature:
        return False
    return True


def signing_certificate(chain_pem: bytes, root_pem: bytes) -> x509.Certificate:
    """The hub's signing certificate in `chain_pem` (it, then its issuer), if it leads to `root_pem`.

    Dates are not looked at: a node without a clock must still hear its hub. Raises BadChain.
    """
    try:
        leaf, issuer = x509.load_pem_x509_certificates(chain_pem)
        root = x509.load_pem_x509_certificate(root_pem)
        leaf.verify_directly_issued_by(issuer)
        issuer.verify_directly_issued_by(root)
        may_issue = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise BadChain(f"the hub's signing certificate does not lead to the pinned root: {error}") from error
    if not may_issue or list(purposes) != [ExtendedKeyUsageOID.CODE_SIGNING]:
        raise BadChain("this certificate is not one for signing what the hub says")
    return leaf


def public_key(certificate: x509.Certificate) -> PublicKey:
    """A certificate's P-256 key. Raises BadKey."""
    key = certificate.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey(f"certificate {certificate.serial_number:x} has no P-256 key")
    return key
