"""A node with two modems has a number for each; the one that was known is the first's."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the table anew, as its key changes."""
    known = op.get_bind().execute(sa.text("SELECT node, number, takes_urgent FROM modem_number")).fetchall()
    op.drop_table("modem_number")
    made = op.create_table(
        "modem_number",
        sa.Column("node", sa.String(length=40), nullable=False),
        sa.Column("service", sa.String(length=8), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("takes_urgent", sa.Boolean(), server_default="1", nullable=False),
        sa.ForeignKeyConstraint(["node"], ["node.id"], name=op.f("fk_modem_number_node_node")),
        sa.PrimaryKeyConstraint("node", "service", name=op.f("pk_modem_number")),
    )
    rows = [
        {"node": node, "service": "modem", "number": number, "takes_urgent": bool(takes)}
        for node, number, takes in known
    ]
    op.bulk_insert(made, rows)
