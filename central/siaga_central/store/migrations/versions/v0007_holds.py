"""Holds of footage."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "hold",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("camera", sa.String(length=40), nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("incident", sa.String(length=26), nullable=True),
        sa.Column("start_us", sa.BigInteger(), nullable=False),
        sa.Column("end_us", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("asked_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("told", sa.Text(), server_default="", nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=True),
        sa.Column("danger", sa.String(length=4), server_default="", nullable=False),
        sa.Column("released_by", sa.String(length=64), nullable=True),
        sa.Column("released_us", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
    )
    op.create_index(op.f("ix_hold_node_state"), "hold", ["node", "state"])
    op.create_index(op.f("ix_hold_incident"), "hold", ["incident"])
