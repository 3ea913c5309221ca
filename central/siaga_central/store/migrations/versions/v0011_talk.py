"""Duty phones, our modems' numbers, what was answered to alerts, what came by SMS before the link."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"


def upgrade() -> None:
    """Make the tables."""
    op.add_column("report", sa.Column("via", sa.String(length=4), server_default="", nullable=False))
    op.create_table(
        "assignment",
        sa.Column("id", sa.String(length=26), nullable=False),
        sa.Column("incident", sa.String(length=26), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("told_by", sa.String(length=64), nullable=False),
        sa.Column("told_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("state_us", sa.BigInteger(), nullable=False),
        sa.Column("away", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("sms_state", sa.String(length=10), server_default="QUEUED", nullable=False),
        sa.ForeignKeyConstraint(["incident"], ["incident.id"], name=op.f("fk_assignment_incident_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment")),
    )
    op.create_index(op.f("ix_assignment_incident"), "assignment", ["incident"])
    op.create_index(op.f("ix_assignment_code_told_us"), "assignment", ["code", "told_us"])
    op.create_table(
        "duty_phone",
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_duty_phone")),
    )
    op.create_table(
        "modem_number",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("takes_urgent", sa.Boolean(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["node"], ["node.id"], name=op.f("fk_modem_number_node_node")),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_modem_number")),
    )
    op.create_table(
        "early",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=24), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=100), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sender", sa.String(length=32), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "stream", "epoch", "seq", name=op.f("pk_early")),
    )
