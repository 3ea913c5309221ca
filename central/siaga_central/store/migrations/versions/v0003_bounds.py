"""What was refused is counted for ever and kept in a bound; records that fitted nothing wait for a replay."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the tables; count what is in quarantine."""
    op.create_table(
        "refusal",
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_refusal")),
    )
    op.execute(
        "INSERT INTO refusal SELECT reason, count(*), max(received_us) FROM quarantine GROUP BY reason"
    )
    op.create_table(
        "unapplied",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=24), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("node", "stream", "epoch", "seq", name=op.f("pk_unapplied")),
    )
