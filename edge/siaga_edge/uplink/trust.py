"""What the node believes of what comes down: only what its hub has signed."""

import logging
from pathlib import Path

from siaga_core.service.signing import PublicKey, key_id, opened
from siaga_core.wire import seal, topics
from siaga_core.wire.announcement import Announcement, decode_announcement
from siaga_core.wire.envelope import PAYLOAD_MAX_BYTES, BadRecord
from siaga_edge.announced import key_of
from siaga_edge.uplink.ledger import Ledger

log = logging.getLogger(__name__)

DOWN_MAX_BYTES = 1024 * 1024


class HubTrust:
    """The hub's present key, learnt from its announcement and kept in the ledger.

    An announcement older than the one that is known changes nothing: who has stolen an old signing key from
    a backup cannot bring it back into use.
    """

    def __init__(self, ca_file: Path, ledger: Ledger) -> None:
        self._root_pem, self._ledger = ca_file.read_bytes(), ledger
        self._known: Announcement | None = None
        self._key: PublicKey | None = None
        if (kept := ledger.announcement()) is not None:
            self._accept(kept)

    @property
    def is_known(self) -> bool:
        """Whether the hub has ever been heard; before that no seal can be told from another."""
        return self._key is not None

    def hear(self, payload: bytes) -> None:
        """Take an announcement. Raises BadRecord."""
        announced, key = self._inside(payload)
        opened(
            topics.DOWN_HUB,
            payload,
            lambda _key_id: key,
            most_bytes=PAYLOAD_MAX_BYTES,
            inflated_most_bytes=PAYLOAD_MAX_BYTES,
        )
        if self._known is not None and announced.since_ms < self._known.since_ms:
            raise BadRecord("old", "an announcement older than the one that is known here")
        if announced != self._known:
            self._ledger.keep_announcement(announced)
            self._accept(announced)

    def open(self, topic: str, payload: bytes) -> bytes:
        """The message inside, if the hub has sealed it for this topic. Raises BadRecord."""
        return opened(
            topic, payload, self._key_of, most_bytes=DOWN_MAX_BYTES, inflated_most_bytes=DOWN_MAX_BYTES
        )

    def _key_of(self, wanted: bytes) -> PublicKey | None:
        return self._key if self._key is not None and key_id(self._key) == wanted else None

    def _inside(self, payload: bytes) -> tuple[Announcement, PublicKey]:
        sealed = seal.unpack(payload, PAYLOAD_MAX_BYTES)
        announced = decode_announcement(seal.expand(sealed, PAYLOAD_MAX_BYTES))
        key = key_of(announced, self._root_pem)
        if key_id(key) != sealed.key_id:
            raise BadRecord("forged", "the announcement is not sealed with the key that it announces")
        return announced, key

    def _accept(self, announced: Announcement) -> None:
        self._key = key_of(announced, self._root_pem)
        self._known = announced
