"""Who may speak with the hub: people, their programs, and nodes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from siaga_central.store.schema.base import metadata

user = Table(
    "user_account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("full_name", Text, nullable=False),
    Column("role", String(12), nullable=False),  # domain/role.py
    Column("password_hash", Text, nullable=False),
    Column("language", String(2), nullable=False, server_default="id"),
    Column("expires_us", BigInteger),
    Column("disabled", Boolean, nullable=False, server_default="0"),
    Column("must_change", Boolean, nullable=False, server_default="0"),
)

# Operators' own MQTT clients; `name` is also their user name and client id at the broker.
client = Table(
    "client",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("user", String(64), ForeignKey("user_account.name"), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("removed_us", BigInteger),
)

# What clients have said of alerts and what they were answered, for as long as it may come again.
acknowledgement = Table(
    "acknowledgement",
    metadata,
    Column("client", String(40), ForeignKey("client.name"), primary_key=True),
    Column("id", String(26), primary_key=True),
    Column("received_us", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Index(None, "client", "received_us"),
)

session = Table(
    "session",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("user", String(64), ForeignKey("user_account.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("opened_us", BigInteger, nullable=False),
    Column("used_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
)

claim = Table(
    "claim",
    metadata,
    Column("token_sha256", String(64), primary_key=True),
    Column("node", String(40), nullable=False),
    Column("made_us", BigInteger, nullable=False),
    Column("expires_us", BigInteger, nullable=False),
    Column("used_us", BigInteger),
    Column("public_key_sha256", String(64)),
)

certificate = Table(
    "certificate",
    metadata,
    Column("serial", String(48), primary_key=True),
    Column("node", String(40), nullable=False),
    Column("pem", Text, nullable=False),
    Column("key_id", String(16), nullable=False, server_default=""),  # by which its seals name the key
    Column("not_after_us", BigInteger, nullable=False),
    Column("revoked_us", BigInteger),
    CheckConstraint("length(serial) > 0", name="serial"),
    UniqueConstraint("node", "serial"),
)
