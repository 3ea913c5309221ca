"""When the octets of a record's messages were erased."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Add the column, and an index of what still has them."""
    op.add_column("record", sa.Column("erased_us", sa.BigInteger(), nullable=True))
    raw = sa.text("kind = 'report' AND erased_us IS NULL")
    op.create_index("ix_record_raw", "record", ["received_us"], sqlite_where=raw, postgresql_where=raw)
