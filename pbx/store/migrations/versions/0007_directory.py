"""What the directory shows of people besides their numbers, and what devices are, with their passwords."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them. The passwords of devices made before this stay unknown: only their hashes were kept."""
    op.add_column("devices", sa.Column("kind", sa.Text, nullable=False, server_default="desk"))
    op.add_column("devices", sa.Column("label", sa.Text, nullable=False, server_default=""))
    op.add_column("devices", sa.Column("sealed_password", sa.LargeBinary))
    op.create_table(
        "photos",
        sa.Column("extension", sa.Text, primary_key=True),
        sa.Column("media_type", sa.Text, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
    )
    op.create_table(
        "absence_notes",
        sa.Column("extension", sa.Text, primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_at", sa.Double, nullable=False),
    )
    op.create_table(
        "favourites",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("entry", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    for table in ("favourites", "absence_notes", "photos"):
        op.drop_table(table)
    for column in ("sealed_password", "label", "kind"):
        op.drop_column("devices", column)
