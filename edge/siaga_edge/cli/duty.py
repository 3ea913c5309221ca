"""Whether a node with a modem takes part when the hub or the internet is away: what the hub has left here."""

import sqlite3
from contextlib import closing

from siaga_core.service.database import StoreMissing, open_reader
from siaga_core.wire.envelope import BadRecord
from siaga_core.wire.roster import NAME, Roster, decode_roster
from siaga_core.wire.want import decode_want
from siaga_edge.node import NodeConfig

ADVICE = (
    "isi nomor modem di konsol, halaman Daftar jaga, atau di pusat / at the hub: siaga-central roster modem"
    " {node} --number +62..."
)


def roster_of(config: NodeConfig) -> tuple[int, Roster] | None:
    """(version, roster) that the hub has left on this node; None without one that can be read."""
    try:
        with closing(open_reader(config.inbox_file)) as connection:
            row = connection.execute("SELECT payload FROM want WHERE name = ?", (NAME,)).fetchone()
        wish = decode_want(row["payload"].encode()) if row else None
        return (wish.version, decode_roster(bytes(wish.body))) if wish else None
    except (StoreMissing, sqlite3.Error, BadRecord):
        return None


def standing(config: NodeConfig) -> tuple[bool, str]:
    """Whether this node takes part, and what a technician reads of it, Indonesian first."""
    found = roster_of(config)
    if found is None:
        return False, "modem ini belum tercatat di pusat / the hub has no entry for this modem"
    version, roster = found
    if not any(gateway.node == config.node.id for gateway in roster.gateways):
        return False, f"versi/version {version}: simpul ini tidak ada di dalamnya / this node is not in it"
    if not roster.duty:
        return True, f"versi/version {version}, TANPA HP jaga / NO phone on duty"
    return True, f"versi/version {version}, {len(roster.duty)} HP jaga / phones on duty"


def advice(config: NodeConfig) -> str:
    """What to do about a modem without an entry."""
    return ADVICE.format(node=config.node.id)
