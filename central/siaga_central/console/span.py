"""What a form asks of footage: from and to as date and time in WIB, and whether hidden pictures may stay."""

from typing import Annotated

from fastapi import Depends, Form, HTTPException

from siaga_central.console.wording import parse_form_moment


def read_span(start: Annotated[str, Form()], end: Annotated[str, Form()]) -> tuple[int, int]:
    """(start_us, end_us) of the fields `start` and `end`; refuses what is no moment."""
    start_us, end_us = parse_form_moment(start), parse_form_moment(end)
    if start_us is None or end_us is None:
        raise HTTPException(422, "say from when to when, as date and time")
    return start_us, end_us


Span = Annotated[tuple[int, int], Depends(read_span)]
Tight = Annotated[bool, Form()]  # a box that is not ticked sends nothing
