"""A node's own voice, for tests of the hub: batches sealed with a key that the store knows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import Connection

from siaga_central.store import certificates
from siaga_core.service.signing import Signer
from siaga_core.wire.envelope import Record, Stamp, batch_of, encode

AT = Stamp(boot_seq=1, boot_id="b", boot_ns=1, wall_ns=1_795_000_000_000_000_000, clock="synced")


class NodeVoice:
    """Says things in a node's name."""

    def __init__(self, node: str, epoch: str = "00000000000000aa") -> None:
        self.node, self.epoch = node, epoch
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.signer = Signer(self.key)

    def enrol(self, connection: Connection, serial: str = "01") -> None:
        """Make the key known to the hub, as a claim does."""
        pem = self.certificate_pem()
        certificates.add(connection, serial, self.node, pem, self.signer.key_id.hex(), 2**60, 1)

    def record(self, stream: str, seq: int, body: msgspec.Struct, kind: str) -> Record:
        """One record of this node."""
        return Record(
            node=self.node,
            stream=stream,
            epoch=self.epoch,
            seq=seq,
            kind=kind,
            at=AT,
            body=msgspec.Raw(msgspec.json.encode(body)),
        )

    def batch(
        self, stream: str, records: Sequence[Record], first: int | None = None, last: int | None = None
    ) -> bytes:
        """A sealed batch from `first` to `last`, by default of these records alone."""
        lowest = first if first is not None else records[0].seq
        highest = last if last is not None else records[-1].seq
        whole = batch_of(records, lowest, highest)
        return self.seal(stream, encode(whole))

    def seal(self, stream: str, message: bytes) -> bytes:
        """Any bytes, sealed for one stream's topic."""
        return self.signer.seal(f"siaga/v1/up/{self.node}/rec/{stream}", message)

    def certificate_pem(self) -> str:
        """A certificate for the key; only the key in it counts here."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.node)])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name)
        builder = builder.public_key(self.key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
        signed = builder.sign(self.key, hashes.SHA256())
        return signed.public_bytes(serialization.Encoding.PEM).decode()
