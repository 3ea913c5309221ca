"""Where incidents are, why footage is held and for how long, what the city has decided."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns and the table."""
    op.add_column("incident", sa.Column("place_source", sa.String(12), server_default="", nullable=False))
    op.add_column("incident", sa.Column("place_radius_m", sa.Float(), nullable=True))
    op.add_column("incident", sa.Column("place_words", sa.Text(), server_default="", nullable=False))
    op.add_column("hold", sa.Column("cause", sa.String(10), server_default="hand", nullable=False))
    op.add_column("hold", sa.Column("until_us", sa.BigInteger(), nullable=True))
    op.add_column("hold", sa.Column("policy_version", sa.Integer(), server_default="0", nullable=False))
    op.add_column("stretch", sa.Column("begins", sa.Boolean(), server_default="0", nullable=False))
    op.create_table(
        "policy",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("valid_from_us", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("set_by", sa.String(length=64), nullable=False),
        sa.Column("set_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_policy")),
    )
    op.create_index(op.f("ix_policy_name_valid_from_us"), "policy", ["name", "valid_from_us"])
