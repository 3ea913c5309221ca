"""`sms.state`: what became of an SMS that the hub asked the GSM node to send."""

from typing import Literal

from msgspec import Struct

KIND = "sms.state"

State = Literal["QUEUED", "SENT", "DELIVERED", "FAILED", "UNKNOWN"]


class SmsState(Struct, frozen=True, kw_only=True):
    """State of one outgoing message; `message_id` is the id of the command that asked for it."""

    message_id: str
    state: State
    detail: str = ""
    parts_total: int = 1
    parts_done: int = 0
