"""Whom a node texts and calls upon by itself while the hub cannot be reached: desired state `roster`."""

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from siaga_core.wire.envelope import BadRecord

NAME = "roster"

Number = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{7,14}$")]


class DutyPhone(Struct, frozen=True, kw_only=True):
    """A phone on duty; the first of the list is texted first."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    number: Number


class Gateway(Struct, frozen=True, kw_only=True):
    """A modem of ours: its number is never answered, and takes urgent records of nodes without internet."""

    node: str
    number: Number
    takes_urgent: bool = True


class NodePolicy(Struct, frozen=True, kw_only=True):
    """What the city has decided about a node that has to act by itself; times in whole seconds.

    The least `away_after_s` and `carry_after_s`: a hub that restarts takes 5 to 10 s, a link that reconnects
    up to 15; neither should wake anybody. What a SIM is let send is no policy and stays with the modem.
    """

    # A hub that has not acknowledged a report for this long is away for it: siren and phones on duty.
    away_after_s: Annotated[int, Meta(ge=15, le=300)] = 20
    # The next phone is texted when the one before has not answered.
    next_phone_s: Annotated[int, Meta(ge=30, le=900)] = 60
    # The citizen is told that nobody reads when siren and phones have gone unanswered for this long.
    unanswered_s: Annotated[int, Meta(ge=30, le=900)] = 60
    # A node without internet sends an urgent record by SMS when the hub has not taken it for this long.
    carry_after_s: Annotated[int, Meta(ge=15, le=900)] = 30
    # Between two automatic replies to one number; how many in an hour; how often one text in a day.
    between_replies_s: Annotated[int, Meta(ge=300, le=3600)] = 300
    replies_an_hour: Annotated[int, Meta(ge=1, le=12)] = 2
    same_reply_a_day: Annotated[int, Meta(ge=1, le=10)] = 3


SHIPPED = NodePolicy()


class Roster(Struct, frozen=True, kw_only=True):
    """The whole roster. `instead` is what a citizen is told to call when nobody can read a text."""

    duty: Annotated[list[DutyPhone], Meta(max_length=50)] = []
    gateways: Annotated[list[Gateway], Meta(max_length=20)] = []
    instead: Annotated[str, Meta(max_length=60)] = ""
    policy: NodePolicy = SHIPPED


def decode_roster(body: bytes) -> Roster:
    """Return the roster in the body of a desired state. Raises BadRecord."""
    try:
        return msgspec.json.decode(body, type=Roster)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
