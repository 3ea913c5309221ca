"""Sites, their nodes and cameras, and what a node is wanted to do."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, String, Table, Text

from siaga_central.store.schema.base import metadata

site = Table(
    "site",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("name", Text, nullable=False),
    Column("district", Text, nullable=False, server_default=""),
    Column("latitude", Float),
    Column("longitude", Float),
)

node = Table(
    "node",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("site", String(40), ForeignKey("site.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("state", String(12), nullable=False, server_default="claimed"),  # invited, claimed, revoked
    Column("online", Boolean, nullable=False, server_default="0"),
    Column("heard_us", BigInteger),
    Column("level", String(8), nullable=False, server_default="unknown"),
    Column("version", Text, nullable=False, server_default=""),
    Column("health", Text, nullable=False, server_default="{}"),
    Column("health_us", BigInteger),
)

service_state = Table(
    "service_state",
    metadata,
    Column("node", String(40), primary_key=True),
    Column("service", String(16), primary_key=True),
    Column("code", String(40), primary_key=True),
    Column("level", String(8), nullable=False),
    Column("detail", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
)

camera = Table(
    "camera",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("node", String(40), ForeignKey("node.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("latitude", Float),
    Column("longitude", Float),
    Column("status", String(12), nullable=False, server_default="unknown"),
    Column("reason", Text, nullable=False, server_default=""),
    Column("status_us", BigInteger),
    Column("model", Text, nullable=False, server_default=""),
    Column("firmware", Text, nullable=False, server_default=""),
    Column("clock_offset_ms", BigInteger),
    Column("picture_us", BigInteger),  # when the last picture was taken, None: none yet
    Column("picture_sha256", String(64), nullable=False, server_default=""),
)

# Desired state of nodes, and what became of its newest version.
want = Table(
    "want",
    metadata,
    Column("node", String(40), ForeignKey("node.id"), primary_key=True),
    Column("name", String(16), primary_key=True),
    Column("service", String(16), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("changed_us", BigInteger, nullable=False),
    Column("node_version", BigInteger, nullable=False, server_default="0"),
    Column("node_state", String(8), nullable=False, server_default=""),  # taken, applied, refused
    Column("node_detail", Text, nullable=False, server_default=""),
    Column("node_us", BigInteger),
)

command = Table(
    "command",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("node", String(40), ForeignKey("node.id"), nullable=False),
    Column("service", String(16), nullable=False),
    Column("kind", String(24), nullable=False),
    Column("payload", Text, nullable=False),
    Column("issued_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("issuer", String(64), nullable=False),
    # queued, sent, received, started, done, failed, expired
    Column("state", String(10), nullable=False, server_default="queued"),
    Column("detail", Text, nullable=False, server_default=""),
    Column("result", Text, nullable=False, server_default="{}"),
    Column("changed_us", BigInteger, nullable=False),
    Column("sent_us", BigInteger),
    Index(None, "state", "issued_us"),
)

# Numbers of our own modems; those with `takes_urgent` take texts of nodes without internet.
modem_number = Table(
    "modem_number",
    metadata,
    Column("node", String(40), ForeignKey("node.id"), primary_key=True),
    Column("service", String(8), primary_key=True),  # modem, or modemb: the node's second one
    Column("number", String(20), nullable=False),
    Column("takes_urgent", Boolean, nullable=False, server_default="1"),
)
