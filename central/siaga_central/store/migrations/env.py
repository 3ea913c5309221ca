"""Alembic runs this; the connection is given by store.migrate, which also owns the transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
