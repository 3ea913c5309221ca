"""Nodes' public keys, looked up once each."""

import threading

from cryptography import x509

from siaga_central.store import certificates
from siaga_central.store.writer import Store
from siaga_core.service.signing import PublicKey, public_key


class Keys:
    """Keys of certificates that are not revoked; whether the node itself is known is asked elsewhere.

    A key that is not found is looked for again each time, so that a fresh certificate counts at once.
    Thread-safe.
    """

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._known: dict[tuple[str, bytes], PublicKey] = {}

    def find(self, node: str, key_id: bytes) -> PublicKey | None:
        """The node's key of this id, or None."""
        known = self._known.get((node, key_id))
        if known is not None:
            return known
        with self._lock, self._store.read() as connection:
            pem = certificates.pem_of(connection, node, key_id.hex())
        if pem is None:
            return None
        key = self._known[node, key_id] = public_key(x509.load_pem_x509_certificate(pem.encode()))
        return key
