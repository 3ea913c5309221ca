"""Every MQTT topic of Siaga; direction first, so that two ACL patterns cover every node.

`siaga/v1/up/<node>/state`              retained presence of a node's link (birth, LWT)
`siaga/v1/up/<node>/rec/<stream>`       batches of one stream of the node's journals, sealed by the node
`siaga/v1/down/<node>/ack`              the hub's acknowledgement after its own commit, sealed by the hub
`siaga/v1/down/<node>/cmd`              a command, sealed by the hub
`siaga/v1/down/<node>/want/<name>`      desired state (holds, roster, config); retained, versioned, sealed
`siaga/v1/down/all/hub`                 the hub's generation and signing certificate; retained, sealed
`siaga/v1/grant/<node>`, `siaga/v1/heads/<node>`  never published: seals of files that are carried
`siaga/v1/alert/<incident>`             for operators' own clients; retained while the incident is open
`siaga/v1/ack/<client>`                 an operator's client acknowledges an alert; the broker checks the name
`siaga/v1/answer/<client>`              what became of it, by the hub; not retained
"""

import re
from dataclasses import dataclass
from typing import Literal

from siaga_core.errors import SiagaError
from siaga_core.wire.ids import BadId, ClientName, IncidentId, NodeId, client_name, node_id

ROOT = "siaga/v1"
UP_FILTER = f"{ROOT}/up/#"
DOWN_HUB = f"{ROOT}/down/all/hub"
ALERT_FILTER = f"{ROOT}/alert/#"
ACK_FILTER = f"{ROOT}/ack/+"

_STREAM = re.compile(r"[a-z]{3,16}\.(urgent|bulk)\Z")


class BadTopic(SiagaError, ValueError):
    """A topic that is none of Siaga's."""


@dataclass(frozen=True, slots=True)
class UpTopic:
    """A node's topic, taken apart. `stream` is None for presence."""

    node: NodeId
    leaf: Literal["state", "rec"]
    stream: str | None


def up_state(node: NodeId) -> str:
    """Presence of one node."""
    return f"{ROOT}/up/{node}/state"


def up_record(node: NodeId, stream: str) -> str:
    """Records of one stream (`<service>.<lane>`) of one node."""
    return f"{ROOT}/up/{node}/rec/{stream}"


def down_ack(node: NodeId) -> str:
    """Acknowledgements to one node."""
    return f"{ROOT}/down/{node}/ack"


def down_command(node: NodeId) -> str:
    """Commands to one node."""
    return f"{ROOT}/down/{node}/cmd"


def down_want(node: NodeId, name: str) -> str:
    """One desired state of one node."""
    return f"{ROOT}/down/{node}/want/{name}"


def grant(node: NodeId) -> str:
    """What a grant for this node is sealed for; it travels as a file."""
    return f"{ROOT}/grant/{node}"


def heads(node: NodeId) -> str:
    """What the heads of this node's chains are sealed for, as the gateway tells them."""
    return f"{ROOT}/heads/{node}"


def down_filter(node: NodeId) -> str:
    """All that the hub says to one node."""
    return f"{ROOT}/down/{node}/#"


def alert(incident: IncidentId) -> str:
    """The alert of one open incident."""
    return f"{ROOT}/alert/{incident}"


def ack(client: ClientName) -> str:
    """Where an operator's client acknowledges: one topic, or it could fill the broker with retained ones."""
    return f"{ROOT}/ack/{client}"


def answer(client: ClientName) -> str:
    """Where the hub answers an operator's client."""
    return f"{ROOT}/answer/{client}"


def parse_ack(topic: str) -> ClientName:
    """Whose acknowledgement this is. Raises BadTopic for anything else."""
    match topic.split("/"):
        case ["siaga", "v1", "ack", client]:
            try:
                return client_name(client)
            except BadId as error:
                raise BadTopic(f"topic {topic!r}: {error}") from error
    raise BadTopic(f"topic {topic!r} is no acknowledgement of an alert")


def parse_up(topic: str) -> UpTopic:
    """Take a node's topic apart. Raises BadTopic for anything else."""
    levels = topic.split("/")
    try:
        match levels:
            case ["siaga", "v1", "up", node, "state"]:
                return UpTopic(node_id(node), "state", None)
            case ["siaga", "v1", "up", node, "rec", stream] if _STREAM.match(stream):
                return UpTopic(node_id(node), "rec", stream)
    except BadId as error:
        raise BadTopic(f"topic {topic!r}: {error}") from error
    raise BadTopic(f"topic {topic!r} is none of Siaga's up topics")
