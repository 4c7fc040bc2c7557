"""The tables, as the newest migration leaves them. Times are Unix seconds (double precision)."""

import sqlalchemy as sa

SCHEMA_REVISION = "0004"
"""The newest migration. Compared before Alembic is imported at all, which most starts then never do."""

metadata = sa.MetaData()

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("started", sa.Double, nullable=False, index=True),
    sa.Column("answered", sa.Double),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("direction", sa.Text, nullable=False),
    sa.Column("from_number", sa.Text, nullable=False),
    sa.Column("from_name", sa.Text, nullable=False),
    sa.Column("dialled", sa.Text, nullable=False),
    sa.Column("to_number", sa.Text, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("plan_version", sa.Text, nullable=False),
    sa.Column("plan_lines", sa.Text, nullable=False, server_default=""),  # numbers with blanks between
    sqlite_with_rowid=False,
)

legs = sa.Table(
    "legs",
    metadata,
    # No foreign key: the worker alone writes both, in one transaction, and it is on the path of every call.
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("device", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("transport", sa.Text, nullable=False),
    sa.Column("codec", sa.Text),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("answered", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("cause", sa.Text, nullable=False),
    # How the party was heard; all of them, or none where it wasn't measured.
    sa.Column("mos", sa.Double),
    sa.Column("loss_percent", sa.Double),
    sa.Column("jitter_ms", sa.Double),
    sa.Column("round_trip_ms", sa.Double),
    sa.Column("media", sa.Text),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("number", sa.Text, nullable=False, server_default=""),
    sa.Column("direction", sa.Text, nullable=False, server_default=""),
    sa.Column("reached", sa.Text, nullable=False, server_default=""),
    sa.Column("via", sa.Text, nullable=False, server_default=""),
    sqlite_with_rowid=False,
)

intervals = sa.Table(
    "intervals",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("legs", sa.Text, nullable=False),  # names with blanks between
    sa.Column("place", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)

call_parents = sa.Table(
    "call_parents",
    metadata,
    sa.Column("call_id", sa.Text, primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("parent", sa.Text, nullable=False, index=True),
    sqlite_with_rowid=False,
)

journal_position = sa.Table(
    "journal_position",
    metadata,
    # The identity in a segment's header, not its number: a wiped journal may count from 1 again.
    sa.Column("segment", sa.Text, primary_key=True),
    sa.Column("imported_bytes", sa.BigInteger, nullable=False),
    sa.Column("finished", sa.Boolean(create_constraint=False), nullable=False),
)

people = sa.Table(
    "people",
    metadata,
    sa.Column("extension", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("class_name", sa.Text, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("groups", sa.Text, nullable=False),  # a JSON list of names
    sa.Column("mobile", sa.Text),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("sign_in", sa.Text, primary_key=True),
    sa.Column(
        "extension",
        sa.Text,
        sa.ForeignKey("people.extension", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    sa.Column("realm", sa.Text, nullable=False),
    sa.Column("ha1_md5", sa.Text, nullable=False),
    sa.Column("ha1_sha256", sa.Text, nullable=False),
    sa.Column("site", sa.Text),
    sa.Column("md5_only", sa.Boolean(create_constraint=False), nullable=False),
)

people_revision = sa.Table(
    "people_revision",
    metadata,
    # One row, one more at each change of people or devices: the worker exports the directory when it moved.
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.BigInteger, nullable=False),
)
