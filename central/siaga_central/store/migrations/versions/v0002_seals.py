"""Seals, gaps, generations and desired state."""

import sqlalchemy as sa
from alembic import op
from cryptography import x509

from siaga_core.service.signing import key_id, public_key

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables; give every certificate the id of its key."""
    op.add_column("certificate", sa.Column("key_id", sa.String(length=16), nullable=False, server_default=""))
    connection = op.get_bind()
    for serial, pem in connection.execute(sa.text("SELECT serial, pem FROM certificate")).all():
        key = public_key(x509.load_pem_x509_certificate(pem.encode()))
        connection.execute(
            sa.text("UPDATE certificate SET key_id = :key_id WHERE serial = :serial"),
            {"key_id": key_id(key).hex(), "serial": serial},
        )
    op.create_table(
        "gap",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("stream", sa.String(length=24), nullable=False),
        sa.Column("epoch", sa.String(length=16), nullable=False),
        sa.Column("first", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("declared_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node", "stream", "epoch", "first", name=op.f("pk_gap")),
    )
    op.create_table(
        "generation",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("name", sa.String(length=26), nullable=False),
        sa.Column("since_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_generation")),
    )
    op.create_table(
        "want",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("service", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("changed_us", sa.BigInteger(), nullable=False),
        sa.Column("node_version", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("node_state", sa.String(length=8), server_default="", nullable=False),
        sa.Column("node_detail", sa.Text(), server_default="", nullable=False),
        sa.Column("node_us", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["node"], ["node.id"], name=op.f("fk_want_node_node")),
        sa.PrimaryKeyConstraint("node", "name", name=op.f("pk_want")),
    )
