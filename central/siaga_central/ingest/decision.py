"""What to do with one message from the broker, before anything is looked up or written. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from siaga_core.wire.envelope import BadRecord, Presence, Record, decode_presence, decode_record
from siaga_core.wire.ids import NodeId
from siaga_core.wire.topics import BadTopic, parse_up


@dataclass(frozen=True, slots=True)
class Accepted:
    """A record to be committed."""

    record: Record


@dataclass(frozen=True, slots=True)
class Heard:
    """A node's presence."""

    node: NodeId
    presence: Presence


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be taken; `reason` is one stable word, counted and shown."""

    reason: str
    detail: str


Decision = Accepted | Heard | Refused


def decide(topic: str, payload: bytes, known_nodes: Collection[str]) -> Decision:
    """Accept, note or refuse one message. Total: no bytes and no topic raise anything."""
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
        record = decode_record(payload, node=address.node, stream=address.stream)
        bytes(record.body).decode()  # a raw body has not been looked into yet
        return Accepted(record)
    except BadRecord as error:
        return Refused(error.reason, str(error))
    except UnicodeDecodeError as error:
        return Refused("json", f"the body is not UTF-8: {error}")


def _presence(node: NodeId, payload: bytes) -> Decision:
    presence = decode_presence(payload)
    if presence.node != node:
        return Refused("impersonation", f"says {presence.node} on the topic of {node}")
    return Heard(node, presence)
