"""Desk telephones that configure themselves, their lines, and who asked for what."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "phones",
        sa.Column("name", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("brand", "model", "version", "stage")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("label", "site")),
        sa.Column("old_tls", sa.Boolean(create_constraint=False), nullable=False),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("first_seen_at", "last_seen_at")),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("secret_hash", sa.Text, nullable=False, index=True),
        sa.Column("former_secret_hash", sa.Text, nullable=False, index=True),
        sa.Column("token_hash", sa.Text, nullable=False, index=True),
        sa.Column("token_at", sa.Double, nullable=False),
        sa.Column("token_used", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("approved_at", sa.Double, nullable=False),
        sa.Column("rotates", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("own_settings", sa.Text, nullable=False),
        sa.Column("keys", sa.Text, nullable=False),
    )
    op.create_table(
        "phone_lines",
        sa.Column("phone", sa.Text, sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column(
            "sign_in",
            sa.Text,
            sa.ForeignKey("devices.sign_in", ondelete="CASCADE"),
            nullable=False,
            unique=True,
        ),
    )
    op.create_table(
        "phone_fetches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("name", sa.Text, nullable=False, index=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("address", "transport", "path")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("outcome", "reason")),
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("phone_fetches", "phone_lines", "phones"):
        op.drop_table(name)
