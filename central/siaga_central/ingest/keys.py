"""Nodes' public keys, looked up once each."""

from cryptography import x509
from sqlalchemy import Connection

from siaga_central.store import certificates
from siaga_core.service.signing import PublicKey, public_key


class Keys:
    """Keys of certificates that are not revoked; whether the node itself is known is asked elsewhere.

    A key that is not found is looked for again each time, so that a fresh certificate counts at once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes], PublicKey] = {}

    def find(self, connection: Connection, node: str, key_id: bytes) -> PublicKey | None:
        """The node's key of this id, or None."""
        if (node, key_id) not in self._known:
            pem = certificates.pem_of(connection, node, key_id.hex())
            if pem is None:
                return None
            self._known[node, key_id] = public_key(x509.load_pem_x509_certificate(pem.encode()))
        return self._known[node, key_id]

    def forget(self) -> None:
        """Look everything up anew: a certificate may have been revoked."""
        self._known.clear()
