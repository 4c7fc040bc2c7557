"""Alembic runs this file: it migrates the connection it is given, in that connection's transaction."""

from alembic import context

from pbx.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
