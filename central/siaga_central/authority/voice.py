"""What the hub says to nodes, sealed with its signing key, and how nodes learn that key."""

from datetime import datetime

from cryptography import x509

from siaga_central.authority.authority import Authority
from siaga_core.service.signing import Signer
from siaga_core.wire import topics
from siaga_core.wire.announcement import Announcement
from siaga_core.wire.envelope import encode


class Voice:
    """Seals; thread-safe. The signing certificate is renewed when the hub starts and a month is left."""

    def __init__(self, authority: Authority, generation: str, since_us: int, now: datetime) -> None:
        chain, key = authority.own("signing", now, signing=True)
        self.generation = generation
        self._signer, self._chain_pem = Signer.load(key), chain.read_text()
        made = x509.load_pem_x509_certificate(self._chain_pem.encode()).not_valid_before_utc
        self._since_ms = max(since_us // 1000, int(made.timestamp() * 1000))

    def seal(self, topic: str, message: bytes) -> bytes:
        """The message as it travels on `topic`."""
        return self._signer.seal(topic, message)

    def announcement(self) -> bytes:
        """The hub's announcement to all nodes, sealed."""
        said = Announcement(generation=self.generation, since_ms=self._since_ms, chain_pem=self._chain_pem)
        return self.seal(topics.DOWN_HUB, encode(said))
