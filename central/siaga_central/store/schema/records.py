"""What nodes have said, what became of it, and the clocks by which it is dated."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, String, Table, Text

from siaga_central.store.schema.base import metadata, serial

event = Table(
    "event",
    metadata,
    Column("seq", serial, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(64), nullable=False),  # incident id, node id, camera id, user name, ...
    Column("actor", String(64), nullable=False),  # user name, `node:<id>` or `hub`
    Column("body", Text, nullable=False),
    Index(None, "subject", "seq"),
)

record = Table(
    "record",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Index(None, "kind", "received_us"),
)

mark = Table(
    "mark",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("upto", BigInteger, nullable=False),
)

# Numbers of a stream that its node has declared gone: samples it had to shed, or what a damaged card lost.
gap = Table(
    "gap",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("last", BigInteger, nullable=False),
    Column("declared_us", BigInteger, nullable=False),
)

# Urgent records that came by SMS, under the key that they have on the link as well.
early = Table(
    "early",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(40), nullable=False),
    Column("subject", String(100), nullable=False),
    Column("at", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("sender", String(32), nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

# Each life of this database: a new one begins when it is made and when it is restored from a backup.
generation = Table(
    "generation",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("name", String(26), nullable=False),
    Column("since_us", BigInteger, nullable=False),
)

# Which boots each journal has seen: boots that share a journal were numbered by one counter.
boot = Table(
    "boot",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("boot_id", String(64), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("boot_seq", BigInteger, nullable=False),
    Index(None, "node", "stream", "epoch"),
)

# Moments of boots whose true time was told, Unix nanoseconds; append-only.
anchor = Table(
    "anchor",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("node", String(40), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("utc_ns", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),  # hub, ntp, modem, camera
    Column("error_ns", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
    Index(None, "node", "boot_id", "boot_ns"),
)

# The interval in which a record was really made, Unix nanoseconds; the newest of a record holds. Append-only.
correction = Table(
    "correction",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("node", String(40), nullable=False),
    Column("stream", String(24), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("subject", String(64), nullable=False, server_default=""),  # the report whose first record it is
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("low_ns", BigInteger, nullable=False),
    Column("high_ns", BigInteger, nullable=False),
    Column("source", String(8), nullable=False),  # hub, ntp, modem, boots
    Column("made_us", BigInteger, nullable=False),
    Index("ix_correction_node_seq", "node", "stream", "epoch", "seq", "number"),
    Index("ix_correction_node_boot", "node", "boot_id"),
    Index(None, "subject", "number"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("received_us", BigInteger, nullable=False),
    Column("reason", String(24), nullable=False),
    Column("detail", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Index(None, "reason"),
)

# Every refusal is counted; the quarantine keeps the newest of each reason.
refusal = Table(
    "refusal",
    metadata,
    Column("reason", String(24), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("last_us", BigInteger, nullable=False),
)

# Records that are kept but changed nothing: of a kind, a shape or a camera that was not known then.
unapplied = Table(
    "unapplied",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("stream", String(24), primary_key=True),
    Column("epoch", String(16), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("reason", String(24), nullable=False),
)
