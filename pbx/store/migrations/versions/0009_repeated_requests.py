"""The first answers to requests with an idempotency key."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their table."""
    op.create_table(
        "repeatable_requests",
        sa.Column("actor", sa.Text, primary_key=True),
        sa.Column("idempotency_key", sa.Text, primary_key=True),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("process", sa.Text, nullable=False),
        sa.Column("begun_at", sa.Double, nullable=False, index=True),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer_sealed", sa.LargeBinary, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_table("repeatable_requests")
