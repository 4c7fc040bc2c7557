"""Who heard whom in a call, how each party was reached, and which call another one was made for."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OF_LEGS = ("name", "number", "direction", "reached", "via")


def upgrade() -> None:
    """Add them; of calls before this they aren't known."""
    op.add_column("calls", sa.Column("plan_lines", sa.Text, nullable=False, server_default=""))
    for name in _OF_LEGS:
        op.add_column("legs", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.create_table(
        "intervals",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.Column("ended", sa.Double),
        sa.Column("legs", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "call_parents",
        sa.Column("call_id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("parent", sa.Text, nullable=False, index=True),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("call_parents")
    op.drop_table("intervals")
    for name in reversed(_OF_LEGS):
        op.drop_column("legs", name)
    op.drop_column("calls", "plan_lines")
