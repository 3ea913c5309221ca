"""Incidents, and everything said to and by citizens and teams about them."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from siaga_central.store.schema.base import metadata, serial

incident = Table(
    "incident",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("number", String(20), nullable=False, unique=True),
    Column("state", String(20), nullable=False),
    Column("category", String(8), nullable=False),
    Column("priority", String(2), nullable=False),
    Column("source", String(8), nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("place_source", String(12), nullable=False, server_default=""),  # domain/place; empty: no position
    Column("place_radius_m", Float),
    Column("place_words", Text, nullable=False, server_default=""),
    Column("opened_us", BigInteger, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("closed_us", BigInteger),
    Column("taken_by", String(64)),
    Column("taken_us", BigInteger),
    Column("version", Integer, nullable=False, server_default="1"),
    Index(None, "state", "opened_us"),
)

report = Table(
    "report",
    metadata,
    Column("id", String(64), primary_key=True),  # report_id made by the node
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("node", String(40), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("source", String(8), nullable=False),
    Column("reporter", String(32)),
    Column("reporter_e164", String(20)),
    Column("text", Text, nullable=False, server_default=""),
    Column("parts_have", Integer, nullable=False, server_default="1"),
    Column("parts_total", Integer, nullable=False, server_default="1"),
    Column("undecodable", Text),
    Column("call_state", String(12)),
    Column("rings", Integer, nullable=False, server_default="0"),
    Column(
        "arrived_us", BigInteger, nullable=False
    ),  # by the node's clock, when it was first committed there
    Column("clock", String(10), nullable=False, server_default="unknown"),
    Column("received_us", BigInteger, nullable=False),  # by the hub's clock
    Column("via", String(4), nullable=False, server_default=""),  # sms: before the link brought it
    Column("body", Text, nullable=False),
    Index(None, "incident"),
    Index(None, "reporter_e164", "arrived_us"),
)

callback = Table(
    "callback",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("number", String(32)),  # None: withheld, nobody can be called back
    Column("calls", Integer, nullable=False, server_default="1"),
    Column("first_us", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
    Column(
        "state", String(12), nullable=False, server_default="waiting"
    ),  # waiting, reached, noanswer, prank
    Column("done_by", String(64)),
    Column("done_us", BigInteger),
    Index(None, "state", "last_us"),
)

reply = Table(
    "reply",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the command that sends it
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("to", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("written_by", String(64), nullable=False),
    Column("written_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, server_default="QUEUED"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("changed_us", BigInteger, nullable=False),
    Index(None, "incident"),
)

# A phone that was texted of an incident, by the hub or by a node that could not reach it, and its answer.
assignment = Table(
    "assignment",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the text
    Column("incident", String(26), ForeignKey("incident.id"), nullable=False),
    Column("code", String(8), nullable=False),
    Column("node", String(40), nullable=False),
    Column("name", Text, nullable=False),
    Column("number", String(20), nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    Column("told_by", String(64), nullable=False),
    Column("told_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # told, accepted, underway, done
    Column("state_us", BigInteger, nullable=False),
    Column("away", Boolean, nullable=False, server_default="0"),  # texted by a node without its hub
    Column("sms_state", String(10), nullable=False, server_default="QUEUED"),
    Index(None, "incident"),
    Index(None, "code", "told_us"),
)

duty_phone = Table(
    "duty_phone",
    metadata,
    Column("number", String(20), primary_key=True),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),
)

# Texts to phones on duty that are no alerts: `trial` from the console, `back` from a node that was alone.
duty_text = Table(
    "duty_text",
    metadata,
    Column("id", String(26), primary_key=True),  # also the id of the command that sends it
    Column("kind", String(8), nullable=False),
    Column("number", String(20), nullable=False),
    Column("node", String(40), nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False, server_default="QUEUED"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("changed_us", BigInteger, nullable=False),
    Index(None, "number", "asked_us"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("channel", String(12), nullable=False),  # alert: retained MQTT topic of one incident
    Column("subject", String(64), nullable=False),
    Column("payload", Text, nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("done_us", BigInteger),
    Index(None, "done_us", "number"),
)
