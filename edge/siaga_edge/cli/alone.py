"""What `siaga-node modem status` says of the hub's absence: since when, and which alarms are out."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.wib import shown
from siaga_edge.cli.duty import roster_of
from siaga_edge.cli.queue import Queued, ago, queued
from siaga_edge.node import NodeConfig
from siaga_edge.uplink.status import LinkStatus, read_status

HubState = Literal["there", "away", "unknown"]
# How an alarm stands, in both languages.
STATES = {
    "sounding": "BELUM ADA yang mengambil / nobody has taken it",
    "quiet": "tidak mendesak, tanpa alarm / not pressing, nobody called",
    "accepted": "diterima / accepted",
    "underway": "menuju lokasi / under way",
    "done": "selesai, menunggu pusat / done, waits for the hub",
}


@dataclass(frozen=True, slots=True)
class Hub:
    """Whether the hub takes what this modem has to tell; `waiting` urgent records are without its word."""

    state: HubState
    since_wall_ns: int | None
    waiting: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Out:
    """An alarm that is not over; `phones` that were texted, by whose turn it was."""

    code: str
    priority: str
    state: str
    since_wall_ns: int
    phones: list[str]


def judge(link: LinkStatus | None, mine: Queued | None, away_after_s: int, now_wall_ns: int) -> Hub:
    """The hub is away when the link is down, or when it has not acknowledged anything for `away_after_s`."""
    waiting = mine.waiting if mine else 0
    oldest = mine.oldest_wall_ns if mine and waiting else None
    if link is not None and not link.up:
        return Hub("away", link.since_wall_ns, waiting, link.reason)
    if oldest is not None and now_wall_ns - oldest >= away_after_s * 10**9:
        return Hub("away", oldest, waiting, "" if link else "the uplink does not run")
    if link is None:
        return Hub("unknown", None, waiting, "the uplink has not run since the machine started")
    return Hub("there", link.since_wall_ns, waiting)


def hub(config: NodeConfig, service: str, now_wall_ns: int) -> Hub:
    """How the hub is for `service`, by what is on this node."""
    found = roster_of(config)
    away_after_s = found[1].policy.away_after_s if found else 20
    mine = next((one for one in queued(config) if one.stream == f"{service}.urgent"), None)
    return judge(read_status(config.node.run_dir), mine, away_after_s, now_wall_ns)


def out(config: NodeConfig, service: str) -> list[Out]:
    """The alarms of `service` that the hub has not ended, the most pressing first."""
    alarms = (
        "SELECT code, priority, state, wall_ns FROM alarm WHERE state != 'over' ORDER BY priority, wall_ns"
    )
    told = "SELECT name FROM alarm_told WHERE code = ? GROUP BY number ORDER BY min(wall_ns)"
    try:
        with closing(open_reader(config.journal_file(service))) as connection:
            return [
                Out(
                    row["code"],
                    row["priority"],
                    row["state"],
                    row["wall_ns"],
                    [str(phone["name"]) for phone in connection.execute(told, (row["code"],))],
                )
                for row in connection.execute(alarms).fetchall()
            ]
    except (StoreMissing, sqlite3.OperationalError):  # the service has not run yet
        return []


def lines(hub: Hub, codes: Sequence[Out], now_wall_ns: int) -> list[str]:
    """What a technician reads, Indonesian first."""
    said = {"there": "tersambung / there", "away": "TERPUTUS / AWAY", "unknown": "tidak diketahui / unknown"}
    words = said[hub.state]
    if hub.since_wall_ns is not None:
        words += f" sejak / since {shown(hub.since_wall_ns)} ({ago(now_wall_ns - hub.since_wall_ns)})"
    if hub.why:
        words += f": {hub.why}"
    found = [f"{'pusat / hub':32s} {words}; {hub.waiting} menunggu / waiting"]
    for one in codes:
        phones = ", ".join(one.phones) or "-"
        age = ago(now_wall_ns - one.since_wall_ns)
        state = STATES.get(one.state, one.state)
        found.append(f"{'kode / code ' + one.code:32s} {one.priority} {age}  {state}; HP / phones: {phones}")
    return found
