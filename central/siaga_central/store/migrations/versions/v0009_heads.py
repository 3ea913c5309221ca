"""The newest head of each node's chain of segments, with the moment of its boot at which it was told."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Make the table, and fill it."""
    op.create_table(
        "head_told",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("links", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("boot_id", sa.String(length=64), nullable=False),
        sa.Column("boot_ns", sa.BigInteger(), nullable=False),
        sa.Column("received_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_head_told")),
    )
    heads = sa.table(
        "chain_head", *(sa.column(name) for name in ("node", "chain", "links", "head", "received_us"))
    )
    told = sa.table(
        "head_told",
        *(
            sa.column(name)
            for name in ("node", "chain", "links", "head", "epoch", "boot_id", "boot_ns", "received_us")
        ),
    )
    connection = op.get_bind()
    newest: dict[str, dict[str, object]] = {}
    for row in connection.execute(sa.select(heads).order_by(heads.c.received_us, heads.c.links)):
        # Of heads told before, the moment is not known: the next one begins the count of minutes.
        newest[row.node] = {**row._mapping, "epoch": "", "boot_id": "", "boot_ns": 0}
    if newest:
        connection.execute(sa.insert(told), list(newest.values()))
