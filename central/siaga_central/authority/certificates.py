"""Making and checking X.509 certificates. Pure but for keys' randomness; `now` is an argument."""

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from siaga_core.errors import SiagaError

LEAF_DAYS = 90
ISSUER_DAYS = 5 * 365
ROOT_DAYS = 20 * 365
CRL_DAYS = 7
# A node's clock may be behind when it first asks.
BACKDATED = timedelta(hours=1)

Key = ec.EllipticCurvePrivateKey


class BadRequest(SiagaError, ValueError):
    """A certificate request that will not be signed."""


def new_key() -> Key:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: Key) -> bytes:
    """PKCS 8, unencrypted: the file's mode protects it."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def sealed_key_pem(key: Key, passphrase: bytes) -> bytes:
    """PKCS 8 under a passphrase, for a key that leaves this machine; `openssl pkey` reads it."""
    sealed = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, sealed)


def load_key(pem: bytes, passphrase: bytes | None = None) -> Key:
    """Read a key of ours."""
    key = serialization.load_pem_private_key(pem, passphrase)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadRequest("the key is not an elliptic curve key")
    return key


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def make_authority(
    name: str, key: Key, now: datetime, days: int, signer: tuple[x509.Certificate, Key] | None = None
) -> x509.Certificate:
    """A certificate that may sign others: a root that signs itself, or an issuer below it."""
    subject = _name(name)
    issuer, signing_key = (signer[0].subject, signer[1]) if signer else (subject, key)
    builder = _builder(subject, issuer, key.public_key(), now, days)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(
        x509.BasicConstraints(ca=True, path_length=0 if signer else 1), critical=True
    )
    builder = builder.add_extension(usage, critical=True)
    return _signed(builder, signing_key, signer[0] if signer else None)


def make_leaf(
    name: str,
    public_key: ec.EllipticCurvePublicKey,
    signer: tuple[x509.Certificate, Key],
    now: datetime,
    *,
    server_names: Sequence[str] = (),
    signing: bool = False,
    days: int = LEAF_DAYS,
) -> x509.Certificate:
    """A client's certificate; with `server_names` (hosts and addresses) a server's; or the hub's for signing.

    A certificate is for one purpose alone: the signing key opens no connection, a client's signs no order.
    """
    builder = _builder(_name(name), signer[0].subject, public_key, now, days)
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server_names else ExtendedKeyUsageOID.CLIENT_AUTH
    if signing:
        purpose = ExtendedKeyUsageOID.CODE_SIGNING
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    if server_names:
        names = x509.SubjectAlternativeName([_alternative(text) for text in server_names])
        builder = builder.add_extension(names, critical=False)
    return _signed(builder, signer[1], signer[0])


def make_crl(
    signer: tuple[x509.Certificate, Key], revoked: Sequence[tuple[int, datetime]], now: datetime
) -> x509.CertificateRevocationList:
    """The list of revoked serials, good for CRL_DAYS."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(signer[0].subject)
    builder = builder.last_update(now - BACKDATED).next_update(now + timedelta(days=CRL_DAYS))
    for serial, when in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(when).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer[1], hashes.SHA256())


def read_request(text: bytes, node: str) -> ec.EllipticCurvePublicKey:
    """Return the key of a request that `node` made: signed by that key, P-256, with the node's name alone.

    Alternative names and other wishes in the request are not honoured. Raises BadRequest.
    """
    try:
        request = x509.load_pem_x509_csr(text)
        key = request.public_key()
        signed = request.is_signature_valid
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise BadRequest(f"this is no certificate request: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadRequest("the request's key is not P-256")
    if not signed:
        raise BadRequest("the request is not signed by its own key")
    names = [str(part.value) for part in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [node]:
        raise BadRequest(f"the request is for {', '.join(names) or 'nobody'}, the token for {node}")
    return key


def read_issued(pem_text: bytes, issuer: x509.Certificate) -> tuple[str, str, ec.EllipticCurvePublicKey]:
    """(CN, hexadecimal serial, key) of a client's certificate that `issuer` has signed. Raises BadRequest.

    Dates are not looked at: a node that lay in storage must be able to come back.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem_text)
        certificate.verify_directly_issued_by(issuer)
        purposes = list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound) as error:
        raise BadRequest(f"this is no certificate of ours: {error}") from error
    key = certificate.public_key()
    if purposes != [ExtendedKeyUsageOID.CLIENT_AUTH] or not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadRequest("this is no node's certificate")
    names = [str(part.value) for part in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return names[0], format(certificate.serial_number, "x"), key


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the public key (SubjectPublicKeyInfo), hexadecimal."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return digest.finalize().hex()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _signed(builder: x509.CertificateBuilder, key: Key, issuer: x509.Certificate | None) -> x509.Certificate:
    if issuer is not None:
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        known = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
        builder = builder.add_extension(known, critical=False)
    return builder.sign(key, hashes.SHA256())
