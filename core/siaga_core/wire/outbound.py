"""`sms.state`: what became of an SMS that the hub asked the GSM node to send."""

from typing import Literal

from msgspec import Struct

KIND = "sms.state"
# So begins the id of a text that a technician has sent at the node; no hub has ordered it.
AT_NODE = "local-"

State = Literal["QUEUED", "SENT", "DELIVERED", "FAILED", "UNKNOWN"]


class SmsState(Struct, frozen=True, kw_only=True):
    """State of one outgoing message; `message_id` is the id of the command that asked for it.

    One that begins with `local-` was sent by a technician at the node.
    """

    message_id: str
    state: State
    detail: str = ""
    parts_total: int = 1
    parts_done: int = 0
