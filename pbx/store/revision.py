"""The revision of a database's schema, and bringing it to the newest one."""

import logging
from pathlib import Path

import sqlalchemy as sa

from pbx.store.database import Database
from pbx.store.schema import SCHEMA_REVISION

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x6265666672  # any number that other programs on the same server don't use


class SchemaTooNewError(Exception):
    """The database was written by a newer version of Beffroi."""


def revision(connection: sa.Connection) -> str:
    """Return the schema's revision, "" for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found or "")


def upgrade(database: Database) -> bool:
    """Migrate to the newest schema; return whether there was anything to do.

    Raises DatabaseUnavailableError, SchemaTooNewError.
    """
    if database.read(revision) == SCHEMA_REVISION:
        return False
    return database.write(_migrate, durable=True)


def _migrate(connection: sa.Connection) -> bool:
    # Two processes may start at once: the second waits here, and finds the work done.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    before = revision(connection)
    if before == SCHEMA_REVISION:
        return False
    # Imported here: most starts have nothing to migrate, and it costs as much as SQLAlchemy.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("path_separator", "os")
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if before and before not in known:
        raise SchemaTooNewError(f"the database has revision {before}, newer than {SCHEMA_REVISION} here")
    command.upgrade(config, "head")
    return True
