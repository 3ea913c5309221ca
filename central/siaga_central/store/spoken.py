"""When a citizen spoke, in the node's time where that is believed: one rule for order, age and display."""

from typing import Any

from sqlalchemy import BigInteger, Connection, and_, case, func, literal, select

from siaga_central.store.schema import callback, correction, incident, report

# A node keeps an urgent record for thirty days: older, or not come yet, is what a wrong clock says.
OLDEST_US = 30 * 86_400 * 1_000_000
# States of a node's clock in which it knows a bound of its error (siaga_core.wire.envelope.Stamp).
CERTAIN = ("synced", "holdover")
# Corrections rest on these; what a modem alone says of the time is a hint.
_TRUSTED = ("hub", "ntp", "boots")


def of_report() -> Any:
    """When a report was committed at its node, at the latest; when the hub had it if no clock tells."""
    return _latest(report.c.id, report.c.clock, report.c.arrived_us, report.c.received_us)


def of_contact(connection: Connection, id: str, clock: str, arrived_us: int, received_us: int) -> int:
    """The same of a contact that is not yet a report; its record's time has been reckoned before."""
    given = literal(id), literal(clock), literal(arrived_us, BigInteger), literal(received_us, BigInteger)
    return int(connection.execute(select(_latest(*given))).scalar_one())


def _latest(id: Any, clock: Any, arrived_us: Any, had_us: Any) -> Any:
    made = (
        select(case((correction.c.source.in_(_TRUSTED), correction.c.high_ns // 1000)))
        .where(correction.c.subject == id)
        .order_by(correction.c.number.desc())
        .limit(1)
        .correlate(report)
        .scalar_subquery()
    )
    stamped = case((clock.in_(CERTAIN), arrived_us))
    latest = func.coalesce(made, stamped, had_us)
    return case((latest.between(had_us - OLDEST_US, had_us), latest), else_=had_us)


def of_incident() -> Any:
    """When the first of an incident's reporters spoke; when it was opened if it has none."""
    first = select(func.min(of_report())).where(report.c.incident == incident.c.id).correlate(incident)
    return func.coalesce(first.scalar_subquery(), incident.c.opened_us)


def of_callback() -> Any:
    """When a caller who is to be rung back called last."""
    number = func.coalesce(report.c.reporter_e164, report.c.reporter, "")
    his = and_(
        report.c.incident == callback.c.incident,
        report.c.source == "call",
        number == func.coalesce(callback.c.number, ""),
    )
    last = select(func.max(of_report())).where(his).correlate(callback)
    return func.coalesce(last.scalar_subquery(), callback.c.last_us)
