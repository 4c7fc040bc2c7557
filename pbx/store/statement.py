"""Insert statements as text: these run so often that building them would cost more than running them."""

from typing import TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

Upsert: TypeAlias = sqlite.Insert | postgresql.Insert


def upsert(dialect: sa.Dialect, table: sa.Table) -> Upsert:
    """Return an insert into the table that can say ON CONFLICT, which SQLite and PostgreSQL write alike."""
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)


def statement_text(dialect: sa.Dialect, insert: Upsert) -> str:
    """Return an insert's text; its parameters are all the table's columns, in their order."""
    compiled = insert.compile(dialect=dialect)
    columns = [column.name for column in insert.table.columns]
    assert compiled.positiontup == columns
    return str(compiled)
