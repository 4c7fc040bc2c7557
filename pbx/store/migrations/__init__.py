"""Alembic's migrations, run on a connection that `pbx.store.revision` gives."""
