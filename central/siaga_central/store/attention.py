"""Whether an incident calls for an operator again: a reporter spoke after the last thing one of them did."""

from typing import Any

from sqlalchemy import and_, case, func, or_, select

from siaga_central.store.schema import event, incident, report

# An event of this kind: what a reporter said sounds like P1, and a person has judged the incident otherwise.
PRESSING = "incident.pressing"
# More of a text has come than was there when somebody read it.
GROWN = "report.grown"
# By an operator; every other event of a dispatch is a field team's: nobody at a desk has read the reporter
# because a team has answered.
_TOLD = "dispatch.told"


def is_fresh() -> Any:
    """Whether somebody has the incident, and a report came in after the last thing an operator did."""
    last_word = (
        select(func.coalesce(func.max(report.c.received_us), 0))
        .where(report.c.incident == incident.c.id)
        .correlate(incident)
        .scalar_subquery()
    )
    more = _last(GROWN) > _last_deed()
    return and_(incident.c.taken_by.is_not(None), or_(last_word > _last_deed(), more, is_pressing()))


def is_pressing() -> Any:
    """Whether words that sound like P1 came after the last thing an operator did."""
    return _last(PRESSING) > _last_deed()


def priority() -> Any:
    """By what it is ordered and sounds: P1 while such words wait, else as it was judged."""
    return case((is_pressing(), "P1"), else_=incident.c.priority)


def _last(kind: str) -> Any:
    found = select(func.coalesce(func.max(event.c.at_us), -1))
    found = found.where(event.c.subject == incident.c.id, event.c.kind == kind)
    return found.correlate(incident).scalar_subquery()


def _last_deed() -> Any:
    people = event.alias("people")
    return (
        select(func.coalesce(func.max(people.c.at_us), 0))
        .where(
            people.c.subject == incident.c.id,
            people.c.actor != "hub",
            people.c.actor.not_like("node:%"),
            or_(people.c.kind.not_like("dispatch.%"), people.c.kind == _TOLD),
        )
        .correlate(incident)
        .scalar_subquery()
    )
