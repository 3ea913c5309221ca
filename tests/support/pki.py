"""A certificate authority for tests: real X.509, made in a folder."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_SIGNS_OTHERS = x509.KeyUsage(
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


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key on disk."""

    certificate: Path
    key: Path


class Authority:
    """Issues for nodes and servers; `ca_file` is what they trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        self.certificate = self._build(name, name, self._key.public_key(), ca=True)
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self._name = name

    def issue(self, common_name: str, *, days: int = 30) -> Pair:
        """A certificate for `common_name`, also valid for 127.0.0.1 and localhost; expired if `days` < 0."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(self._folder / f"{common_name}.pem", self._folder / f"{common_name}.key")
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        pair.certificate.write_text(self.sign(common_name, key.public_key(), days=days))
        return pair

    def sign(self, common_name: str, public_key: ec.EllipticCurvePublicKey, *, days: int = 30) -> str:
        """PEM of a certificate for a key made elsewhere."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        certificate = self._build(subject, self._name, public_key, days=days)
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def signing(self) -> tuple[str, ec.EllipticCurvePrivateKey]:
        """(chain, key) with which a hub signs: an issuer below the root, a leaf for signing only."""
        issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test issuer")])
        issuer = self._build(name, self._name, issuer_key.public_key(), ca=True)
        hub = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
        leaf = self._build(hub, name, key.public_key(), signing_key=issuer_key)
        chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (leaf, issuer))
        return chain.decode(), key

    def _build(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        public_key: ec.EllipticCurvePublicKey,
        *,
        days: int = 30,
        ca: bool = False,
        signing_key: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        )
        # OpenSSL's strict mode, the default of Python 3.13, wants to know which key signed.
        signer = (signing_key or self._key).public_key()
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer)
        builder = builder.add_extension(authority, critical=False)
        if ca:
            builder = builder.add_extension(_SIGNS_OTHERS, critical=True)
        if signing_key is not None:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
            return builder.add_extension(purpose, critical=False).sign(signing_key, hashes.SHA256())
        if not ca:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())
