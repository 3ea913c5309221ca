"""What the hub says to nodes, sealed with its signing key, and how nodes learn that key."""

from datetime import datetime

from cryptography import x509

from siaga_central.authority.authority import Authority
from siaga_core.service.signing import Signer
from siaga_core.wire import topics
from siaga_core.wire.announcement import Announcement
from siaga_core.wire.envelope import encode


class Voice:
    """Seals; thread-safe. `renew` makes the signing certificate anew when a month of it is left."""

    def __init__(self, authority: Authority, generation: str, since_us: int, now: datetime) -> None:
        _, key = authority.own("signing", now, signing=True)
        self.generation = generation
        self._authority, self._signer, self._since_us = authority, Signer.load(key), since_us
        self._announcement = self._announce(now)

    def seal(self, topic: str, message: bytes) -> bytes:
        """The message as it travels on `topic`."""
        return self._signer.seal(topic, message)

    def announcement(self) -> bytes:
        """The hub's announcement to all nodes, sealed; another one after a renewal."""
        return self._announcement

    def renew(self, now: datetime) -> None:
        """Make the certificate anew if a month is left; the key, and with it every seal, stays good."""
        self._announcement = self._announce(now)

    def _announce(self, now: datetime) -> bytes:
        chain, _ = self._authority.own("signing", now, signing=True)
        chain_pem = chain.read_text()
        made = x509.load_pem_x509_certificate(chain_pem.encode()).not_valid_before_utc
        since_ms = max(self._since_us // 1000, int(made.timestamp() * 1000))
        said = Announcement(generation=self.generation, since_ms=since_ms, chain_pem=chain_pem)
        return self.seal(topics.DOWN_HUB, encode(said))
