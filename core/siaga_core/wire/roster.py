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


class Roster(Struct, frozen=True, kw_only=True):
    """The whole roster. `instead` is what a citizen is told to call when nobody can read a text."""

    duty: Annotated[list[DutyPhone], Meta(max_length=50)] = []
    gateways: Annotated[list[Gateway], Meta(max_length=20)] = []
    instead: Annotated[str, Meta(max_length=60)] = ""


def decode_roster(body: bytes) -> Roster:
    """Return the roster in the body of a desired state. Raises BadRecord."""
    try:
        return msgspec.json.decode(body, type=Roster)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord("schema", str(error)) from error
