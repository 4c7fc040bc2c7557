"""Calls, legs, people, devices, and the position in the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the first tables. What they are for is said in pbx.store.schema."""
    op.create_table(
        "calls",
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
        sqlite_with_rowid=False,
    )
    op.create_table(
        "legs",
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
        sqlite_with_rowid=False,
    )
    op.create_table(
        "journal_position",
        sa.Column("segment", sa.Text, primary_key=True),
        sa.Column("imported_bytes", sa.BigInteger, nullable=False),
        sa.Column("finished", sa.Boolean(create_constraint=False), nullable=False),
    )
    op.create_table(
        "people",
        sa.Column("extension", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("class_name", sa.Text, nullable=False),
        sa.Column("site", sa.Text),
        sa.Column("groups", sa.Text, nullable=False),
        sa.Column("mobile", sa.Text),
    )
    op.create_table(
        "devices",
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
    op.create_table(
        "people_revision",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.BigInteger, nullable=False),
    )
    op.execute("INSERT INTO people_revision (id, revision) VALUES (1, 0)")


def downgrade() -> None:
    """Remove every table, and what is in them."""
    for table in ("people_revision", "devices", "people", "journal_position", "legs", "calls"):
        op.drop_table(table)
