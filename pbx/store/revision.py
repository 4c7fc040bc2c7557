"""The revision of a database's schema, and bringing it to the newest one.

An empty database gets the newest schema at once, without Alembic, which takes a second: only one that an
older version made is migrated. A test holds the one way to the other.
"""

import logging
from pathlib import Path

import sqlalchemy as sa

from pbx.store.database import Database
from pbx.store.schema import SCHEMA_REVISION, metadata, people_revision

MIGRATIONS = Path(__file__).parent / "migrations"
_version = sa.Table(  # Alembic's own, as it makes it
    "alembic_version", sa.MetaData(), sa.Column("version_num", sa.String(32), primary_key=True)
)
_ADVISORY_LOCK = 0x6265666672  # any number that other programs on the same server don't use


class SchemaTooNewError(Exception):
    """The database was written by a newer version of Beffroi."""


def revision(connection: sa.Connection) -> str:
    """Return the schema's revision, "" for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return str(found or "")


def is_older(database: Database) -> bool:
    """Return whether it takes Alembic to bring a database to the newest schema."""
    return database.read(revision) not in ("", SCHEMA_REVISION)


def upgrade(database: Database) -> bool:
    """Bring a database to the newest schema; return whether there was anything to do.

    Raises DatabaseUnavailableError, SchemaTooNewError.
    """
    if database.read(revision) == SCHEMA_REVISION:
        return False
    return database.write(_upgrade, durable=True)


def _upgrade(connection: sa.Connection) -> bool:
    # Two processes may start at once: the second waits here, and finds the work done.
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK})
    before = revision(connection)
    if before == SCHEMA_REVISION:
        return False
    if before:
        migrate(connection, before)
    else:
        metadata.create_all(connection)
        connection.execute(sa.insert(people_revision).values(id=1, revision=0))
        _version.create(connection)
        connection.execute(sa.insert(_version).values(version_num=SCHEMA_REVISION))
    return True


def migrate(connection: sa.Connection, before: str) -> None:
    """Migrate step by step from a revision, "" for the beginning. Raises SchemaTooNewError."""
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
