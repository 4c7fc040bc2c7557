"""The keys that somebody has chosen for their desk telephones, in place of the plan's."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "phone_keys",
        sa.Column("extension", sa.Text, primary_key=True),
        sa.Column("keys", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("phone_keys")
