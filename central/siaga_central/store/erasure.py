"""Erases the octets of messages whose time is over, wherever the hub keeps them; texts and senders stay.

They stand in records, in reports and in what was refused, never in an event: the log and whatever proves it
are not touched. Copies in the second place go with the backups that hold them.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from siaga_central.domain.retention import without_octets
from siaga_central.store import events, policies
from siaga_central.store.schema import incident, quarantine, record, report

KIND = "report"
# Of one transaction: nobody waits long for it.
ROUND_MOST = 200
_KEY = (record.c.node, record.c.stream, record.c.epoch, record.c.seq)


def sweep(connection: Connection, now_us: int) -> int:
    """Erase what the policy keeps no longer; how many records. ROUND_MOST means that there may be more."""
    version, policy = policies.retention(connection, now_us)
    before_us = now_us - policy.raw_messages_us
    rows = _overdue(connection, before_us)
    for row in rows:
        body = without_octets(row.body)
        mine = [column == value for column, value in zip(_KEY, row, strict=False)]
        connection.execute(update(record).where(*mine).values(body=body, erased_us=now_us))
        newest = (report.c.id == _report_id(row)) & (report.c.body == row.body)
        connection.execute(update(report).where(newest).values(body=body))
    old = (quarantine.c.received_us < before_us) & (quarantine.c.payload != b"")
    refused = connection.execute(update(quarantine).where(old).values(payload=b"")).rowcount
    if rows or refused:
        told = {"records": len(rows), "refused": refused, "before_us": before_us, "policy_version": version}
        events.append(connection, now_us, "raw.erased", policies.RETENTION, "hub", told)
    return len(rows)


def _overdue(connection: Connection, before_us: int) -> list[Row[Any]]:
    """Records of reports with octets to erase, the oldest first; those of an open incident wait."""
    found: list[Row[Any]] = []
    skipped = 0
    old = select(*_KEY, record.c.body).where(
        record.c.kind == KIND, record.c.erased_us.is_(None), record.c.received_us < before_us
    )
    while len(found) < ROUND_MOST:
        place = skipped + len(found)
        ordered = old.order_by(record.c.received_us, *_KEY).offset(place).limit(ROUND_MOST)
        page: list[Row[Any]] = list(connection.execute(ordered))
        waiting = _of_open_incidents(connection, page)
        here = [row for row in page if _report_id(row) not in waiting]
        found += here
        skipped += len(page) - len(here)
        if len(page) < ROUND_MOST:
            break
    return found[:ROUND_MOST]


def _of_open_incidents(connection: Connection, rows: Sequence[Row[Any]]) -> set[str]:
    ids = {_report_id(row) for row in rows}
    open_ones = select(report.c.id).join(incident, incident.c.id == report.c.incident)
    found = connection.execute(open_ones.where(report.c.id.in_(ids), incident.c.closed_us.is_(None)))
    return set(found.scalars())


def _report_id(row: Row[Any]) -> str:
    try:
        return str(msgspec.json.decode(row.body, type=_Named).report_id)
    except msgspec.DecodeError:
        return ""


class _Named(msgspec.Struct):
    """What is read of a record here."""

    report_id: str = ""
