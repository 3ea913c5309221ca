"""What operators want of a clip that is on its way, and how fast it comes."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("clip", sa.Column("wish", sa.String(4), server_default="go", nullable=False))
    op.add_column("clip", sa.Column("wished_by", sa.String(64), server_default="", nullable=False))
    op.add_column("clip", sa.Column("wished_us", sa.BigInteger(), nullable=True))
    op.add_column("clip", sa.Column("got_us", sa.BigInteger(), nullable=True))
    op.add_column("clip", sa.Column("rate_bytes_s", sa.BigInteger(), nullable=True))
