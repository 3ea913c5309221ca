"""Footage at the nodes: what is there, what proves it, what is held, what was fetched."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text

from siaga_central.store.schema.base import metadata, serial

footage = Table(
    "footage",
    metadata,
    Column("camera", String(40), primary_key=True),
    Column("segment", String(80), primary_key=True),
    Column("start_us", BigInteger, nullable=False),
    Column("duration_ms", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # closed, deleted, gap
    Column("reason", Text, nullable=False, server_default=""),
    Index(None, "camera", "start_us"),
)

# Unbroken footage in the clock of the boot that told of it, dated when somebody asks, by what is known then.
# A start before the boot's own is footage of an earlier one, counted back by the node.
stretch = Table(
    "stretch",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),
    Column("camera", String(40), nullable=False),
    Column("node", String(40), nullable=False),
    Column("epoch", String(16), nullable=False),  # of the journal that told of it
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger, nullable=False),
    Column("told_seq", BigInteger, nullable=False),  # the record that told of its end
    # Whether the node said that it began here: what lies before is then known to be missing.
    Column("begins", Boolean, nullable=False, server_default="0"),
    Index(None, "camera", "number"),
)

# The oldest footage of a camera that its node's retention has left.
kept = Table(
    "kept",
    metadata,
    Column("camera", String(40), primary_key=True),
    Column("boot_id", String(64), nullable=False),
    Column("boot_seq", BigInteger, nullable=False),
    Column("since_ns", BigInteger, nullable=False),
    Column("told_us", BigInteger, nullable=False),
)

# What nodes said of their chains of segments, append-only: whoever edits footage later has to match it.
chain_head = Table(
    "chain_head",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("chain", String(64), primary_key=True),
    Column("links", BigInteger, primary_key=True, autoincrement=False),
    Column("head", String(64), nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

# The newest of these of each node, with the moment of its boot at which it was told (store/coverage.py).
head_told = Table(
    "head_told",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("chain", String(64), nullable=False),
    Column("links", BigInteger, nullable=False),
    Column("head", String(64), nullable=False),
    Column("epoch", String(16), nullable=False),
    Column("boot_id", String(64), nullable=False),
    Column("boot_ns", BigInteger, nullable=False),
    Column("received_us", BigInteger, nullable=False),
)

# Footage that a node is to keep; the newest word of the node is `told` (wire/recording.HoldState, JSON).
hold = Table(
    "hold",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("camera", String(40), nullable=False),
    Column("node", String(40), nullable=False),
    Column("incident", String(26)),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),  # domain/hold
    Column("told", Text, nullable=False, server_default=""),
    Column("told_us", BigInteger),
    Column("danger", String(4), nullable=False, server_default=""),  # warn, crit: not confirmed, soon gone
    Column("released_by", String(64)),
    Column("released_us", BigInteger),
    Column("cause", String(10), nullable=False, server_default="hand"),  # hand, incident, clip
    Column("until_us", BigInteger),  # let go of by itself then
    Column("policy_version", Integer, nullable=False, server_default="0"),
    Index(None, "node", "state"),
    Index(None, "incident"),
)

# What the city has decided, by subject; the newest version whose time has come is in force.
policy = Table(
    "policy",
    metadata,
    Column("number", serial, primary_key=True, autoincrement=True),  # its version, 0 being what ships
    Column("name", String(16), nullable=False),
    Column("valid_from_us", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("set_by", String(64), nullable=False),
    Column("set_us", BigInteger, nullable=False),
    Index(None, "name", "valid_from_us"),
)

clip = Table(
    "clip",
    metadata,
    Column("id", String(26), primary_key=True),  # id of the clip.fetch command
    Column("camera", String(40), ForeignKey("camera.id"), nullable=False),
    Column("incident", String(26)),
    Column("start_us", BigInteger, nullable=False),
    Column("end_us", BigInteger, nullable=False),
    Column("asked_by", String(64), nullable=False),
    Column("asked_us", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="asked"),  # coming, ready, failed, dropped
    Column("detail", Text, nullable=False, server_default=""),
    Column("size_bytes", BigInteger),
    Column("got_bytes", BigInteger, nullable=False, server_default="0"),
    Column("sha256", String(64), nullable=False, server_default=""),  # as the node stated it
    Column("wish", String(4), nullable=False, server_default="go"),  # go, stop, drop: what operators want
    Column("wished_by", String(64), nullable=False, server_default=""),
    Column("wished_us", BigInteger),
    Column("got_us", BigInteger),  # when the last slice came
    Column("rate_bytes_s", BigInteger),  # of the last slices, while it comes without a pause
)
