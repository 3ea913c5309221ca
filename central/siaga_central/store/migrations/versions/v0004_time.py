"""When things really happened: boots, anchors and corrections."""

import sqlalchemy as sa
from alembic import op

from siaga_central.store.dialect import guard

revision = "0004"
down_revision = "0003"

_serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables; anchors and corrections only grow."""
    _boot()
    _anchor()
    _correction()
    for table in ("anchor", "correction"):
        guard(op.get_bind(), table)


def _boot() -> None:
    op.create_table(
        "boot",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("stream", sa.String(length=24), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("boot_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "boot_id", "stream", "epoch", name=op.f("pk_boot")),
    )
    op.create_index(op.f("ix_boot_node_stream_epoch"), "boot", ["node", "stream", "epoch"])


def _anchor() -> None:
    op.create_table(
        "anchor",
        sa.Column("number", _serial, autoincrement=True, nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("boot_seq", sa.BigInteger(), nullable=False),
        sa.Column("boot_ns", sa.BigInteger(), nullable=False),
        sa.Column("utc_ns", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("error_ns", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_anchor")),
    )
    op.create_index(op.f("ix_anchor_node_boot_id_boot_ns"), "anchor", ["node", "boot_id", "boot_ns"])


def _correction() -> None:
    op.create_table(
        "correction",
        sa.Column("number", _serial, autoincrement=True, nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=24), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("boot_seq", sa.BigInteger(), nullable=False),
        sa.Column("boot_ns", sa.BigInteger(), nullable=False),
        sa.Column("low_ns", sa.BigInteger(), nullable=False),
        sa.Column("high_ns", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.String(length=8), nullable=False),
        sa.Column("made_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_correction")),
    )
    places = {"node_seq": ["node", "stream", "epoch", "seq", "number"], "node_boot": ["node", "boot_id"]}
    for name, columns in places.items():
        op.create_index(op.f(f"ix_correction_{name}"), "correction", columns)
    op.create_index(op.f("ix_correction_subject_number"), "correction", ["subject", "number"])
