"""Whether an incident calls for an operator again: after his last deed somebody spoke or an answer failed."""

from typing import Any

from sqlalchemy import and_, case, func, or_, select

from siaga_central.store.schema import event, incident, reply, report

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


def failed_us() -> Any:
    """When an answer to a reporter failed, if no operator has done anything since; else 0."""
    found = select(func.coalesce(func.max(reply.c.changed_us), 0))
    failed = and_(reply.c.incident == incident.c.id, reply.c.state == "FAILED")
    return found.where(failed, reply.c.changed_us > _last_deed()).correlate(incident).scalar_subquery()


def calls() -> Any:
    """Whether an incident that somebody has calls for an operator again."""
    return or_(is_fresh(), and_(incident.c.taken_by.is_not(None), failed_us() > 0))


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
