"""The hub's key without a network: as the uplink kept it or a file brings it; it leads to the pinned root."""

import http.client
import sqlite3
import ssl
from urllib.parse import urlsplit

from siaga_core.errors import SiagaError, Transient
from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.service.signing import (
    BadChain,
    BadKey,
    PublicKey,
    key_id,
    opened,
    public_key,
    signing_certificate,
)
from siaga_core.wire import seal, topics
from siaga_core.wire.announcement import Announcement, decode_announcement
from siaga_core.wire.envelope import PAYLOAD_MAX_BYTES, BadRecord
from siaga_core.wire.ids import NodeId
from siaga_edge.node import NodeConfig

MOST_BYTES = 4 * 1024 * 1024
_LIMIT_S = 5.0


class HubUnknown(SiagaError):
    """This node has never heard its hub, so nothing can be checked against its key."""


class HubAway(SiagaError, Transient):
    """The hub's gateway was not reached, or told nothing."""


def announcement(config: NodeConfig) -> Announcement | None:
    """The hub's last announcement that the uplink believed; None before the first one."""
    try:
        connection = open_reader(config.delivery_file)
    except StoreMissing:
        return None
    try:
        row = connection.execute("SELECT message FROM announcement").fetchone()
        return decode_announcement(bytes(row["message"])) if row else None
    except sqlite3.DatabaseError:
        return None
    finally:
        connection.close()


def newer(kept: Announcement | None, payload: bytes, root_pem: bytes) -> Announcement:
    """The announcement that counts when `payload`, a sealed one, was brought. Raises BadRecord.

    As on the wire: one that is older than what is known changes nothing, so that a stolen old key stays old.
    """
    sealed = seal.unpack(payload, PAYLOAD_MAX_BYTES)
    brought = decode_announcement(seal.expand(sealed, PAYLOAD_MAX_BYTES))
    key = key_of(brought, root_pem)
    opened(
        topics.DOWN_HUB,
        payload,
        lambda wanted: key if key_id(key) == wanted else None,
        most_bytes=PAYLOAD_MAX_BYTES,
        inflated_most_bytes=PAYLOAD_MAX_BYTES,
    )
    return brought if kept is None or brought.since_ms >= kept.since_ms else kept


def key_of(announced: Announcement, root_pem: bytes) -> PublicKey:
    """The key that an announcement names, if it leads to the pinned root. Raises BadRecord."""
    try:
        return public_key(signing_certificate(announced.chain_pem.encode(), root_pem))
    except (BadChain, BadKey) as error:
        raise BadRecord("stranger", str(error)) from error


def opened_with(key: PublicKey, topic: str, payload: bytes) -> bytes:
    """The message that `key` has sealed for `topic`. Raises BadRecord."""
    return opened(
        topic,
        payload,
        lambda wanted: key if key_id(key) == wanted else None,
        most_bytes=MOST_BYTES,
        inflated_most_bytes=MOST_BYTES,
    )


def open_sealed(config: NodeConfig, topic: str, payload: bytes) -> bytes:
    """The message that this node's hub has sealed for `topic`. Raises BadRecord, HubUnknown."""
    known = announcement(config)
    if known is None:
        raise HubUnknown("this node has not heard its hub yet; start siaga-uplink with a network once")
    return opened_with(key_of(known, config.hub.ca_file.read_bytes()), topic, payload)


def heads_topic(node: NodeId) -> str:
    """What the hub seals this node's heads for."""
    return topics.heads(node)


def told_heads(config: NodeConfig) -> bytes:
    """What the hub keeps of this node's chains, sealed. Raises HubAway."""
    url = urlsplit(config.hub.gateway_url)
    try:
        context = ssl.create_default_context(cafile=str(config.hub.ca_file))
        context.load_cert_chain(config.hub.certificate_file, config.hub.key_file)
        connection = http.client.HTTPSConnection(
            url.hostname or "", url.port or 443, timeout=_LIMIT_S, context=context
        )
        try:
            connection.request("GET", "/v1/heads")
            answer = connection.getresponse()
            body = answer.read(MOST_BYTES + 1)
        finally:
            connection.close()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise HubAway(f"{config.hub.gateway_url}: {error}") from error
    if answer.status != 200:
        raise HubAway(f"{config.hub.gateway_url} answered {answer.status}")
    return body
