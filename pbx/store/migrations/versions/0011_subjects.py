"""Accounts of an OpenID Connect provider are known by its own name for them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; who signed in there before is known by it from the next time on."""
    op.add_column("accounts", sa.Column("subject", sa.Text, nullable=False, server_default=""))
    known = sa.text("subject != ''")
    op.create_index(
        "accounts_subject", "accounts", ["subject"], unique=True, sqlite_where=known, postgresql_where=known
    )


def downgrade() -> None:
    """Know them by name alone."""
    op.drop_index("accounts_subject", "accounts")
    op.drop_column("accounts", "subject")
