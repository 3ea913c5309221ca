"""What a GSM node did by itself: `reply.auto` to a citizen, `duty` while the hub could not be reached."""

from typing import Literal

from msgspec import Struct

REPLY_KIND = "reply.auto"
KIND = "duty"

Template = Literal["report", "place", "call", "bounce"]
DutyDeed = Literal["sounded", "told", "accepted", "underway", "done", "stranger", "over", "back", "asked"]


class AutoReply(Struct, frozen=True, kw_only=True):
    """A text that the node queued for a citizen; `sms.state` records of the same id say what became of it."""

    id: str
    report_id: str
    to: str
    template: Template
    text: str


class DutyState(Struct, frozen=True, kw_only=True):
    """One step of an alarm that the node raised because no hub had taken its report.

    `told`: a duty phone was texted, `id` is the text's; `sounded`: the siren was asked for; `over`: the hub
    has the report, what happened since `sounded` is all here; `back`: a phone that had been texted was told
    so, `id` is that text's and the same for every alarm it speaks of; `asked`: a phone whose answer did not
    say which alarm it means was asked for the code, `id` likewise. `name` and `number`: whose step it is.
    """

    code: str
    report_id: str
    deed: DutyDeed
    id: str = ""
    name: str = ""
    number: str = ""
    text: str = ""
