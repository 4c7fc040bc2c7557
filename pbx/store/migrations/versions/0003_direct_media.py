"""Which way a party's sound went."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add `media` to the legs; of calls before this it isn't known."""
    op.add_column("legs", sa.Column("media", sa.Text))


def downgrade() -> None:
    """Forget it."""
    op.drop_column("legs", "media")
