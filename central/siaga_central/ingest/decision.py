"""What to do with one message from the broker, before anything is looked up or written. Pure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from siaga_core.service.signing import PublicKey, opened
from siaga_core.wire.envelope import (
    BATCH_MAX_BYTES,
    PAYLOAD_MAX_BYTES,
    BadRecord,
    Presence,
    Received,
    decode_batch,
    decode_presence,
)
from siaga_core.wire.ids import NodeId
from siaga_core.wire.topics import BadTopic, parse_up

KeyOf = Callable[[str, bytes], PublicKey | None]


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch to be committed, sealed by its node."""

    batch: Received


@dataclass(frozen=True, slots=True)
class Heard:
    """What is said of a node's link: by itself, or by the broker in its name. A hint, not sealed."""

    node: NodeId
    presence: Presence


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be taken; `reason` is one stable word, counted and shown."""

    reason: str
    detail: str
    node: str = ""  # whose topic it came on, when that is known here


Decision = Accepted | Heard | Refused


def decide(topic: str, payload: bytes, known_nodes: Collection[str], key_of: KeyOf) -> Decision:
    """Accept, note or refuse one message. Total: no bytes and no topic raise anything.

    `key_of` gives a node's public key by its id in a seal, None for a key that is not that node's.
    """
    try:
        address = parse_up(topic)
    except BadTopic as error:
        return Refused("topic", str(error))
    if address.node not in known_nodes:
        return Refused(
            "unknown-node", f"{address.node} is not in the registry; invite it, or find out who it is"
        )
    try:
        if address.stream is None:
            return _presence(address.node, payload)
        message = opened(
            topic,
            payload,
            lambda key_id: key_of(address.node, key_id),
            most_bytes=PAYLOAD_MAX_BYTES,
            inflated_most_bytes=BATCH_MAX_BYTES,
        )
        return Accepted(decode_batch(message, node=address.node, stream=address.stream))
    except BadRecord as error:
        return Refused(error.reason, str(error), address.node)


def _presence(node: NodeId, payload: bytes) -> Decision:
    presence = decode_presence(payload)
    if presence.node != node:
        return Refused("impersonation", f"says {presence.node} on the topic of {node}", node)
    return Heard(node, presence)
