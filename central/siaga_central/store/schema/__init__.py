"""The hub's tables, one set for SQLite and PostgreSQL. Truth is `event`; the rest can be rebuilt from it.

Times are Unix microseconds UTC in columns named `*_us`; bodies are JSON text.
"""

from siaga_central.store.schema.accounts import acknowledgement, certificate, claim, client, session, user
from siaga_central.store.schema.base import metadata
from siaga_central.store.schema.incidents import (
    assignment,
    callback,
    duty_phone,
    duty_text,
    incident,
    outbox,
    reply,
    report,
)
from siaga_central.store.schema.places import camera, command, modem_number, node, service_state, site, want
from siaga_central.store.schema.recordings import (
    chain_head,
    clip,
    footage,
    head_told,
    hold,
    kept,
    policy,
    stretch,
)
from siaga_central.store.schema.records import (
    anchor,
    boot,
    correction,
    early,
    event,
    gap,
    generation,
    mark,
    quarantine,
    record,
    refusal,
    unapplied,
)

__all__ = [
    "acknowledgement",
    "anchor",
    "assignment",
    "boot",
    "callback",
    "camera",
    "certificate",
    "chain_head",
    "claim",
    "client",
    "clip",
    "command",
    "correction",
    "duty_phone",
    "duty_text",
    "early",
    "event",
    "footage",
    "gap",
    "generation",
    "head_told",
    "hold",
    "incident",
    "kept",
    "mark",
    "metadata",
    "modem_number",
    "node",
    "outbox",
    "policy",
    "quarantine",
    "record",
    "refusal",
    "reply",
    "report",
    "service_state",
    "session",
    "site",
    "stretch",
    "unapplied",
    "user",
    "want",
]
