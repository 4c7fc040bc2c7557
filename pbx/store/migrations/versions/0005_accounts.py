"""Accounts of the pages, what they prove themselves with, their sessions, and links that work once."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _of_account() -> sa.Column[str]:
    key = sa.ForeignKey("accounts.account", ondelete="CASCADE")
    return sa.Column("account", sa.Text, key, nullable=False, index=True)


def upgrade() -> None:
    """Add them; nobody has an account yet."""
    op.create_table(
        "accounts",
        sa.Column("account", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("extension", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("password_hash", sa.Text, nullable=False),
        sa.Column("password_at", sa.Double),
        sa.Column("must_change", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("disabled", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("totp_sealed", sa.LargeBinary),
        sa.Column("totp_step", sa.BigInteger, nullable=False),
        sa.Column("handle", sa.Text, nullable=False, unique=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_sign_in_at", sa.Double),
    )
    with_extension = sa.text("extension <> ''")
    op.create_index(
        "accounts_extension",
        "accounts",
        ["extension"],
        unique=True,
        sqlite_where=with_extension,
        postgresql_where=with_extension,
    )
    op.create_table("recovery_codes", sa.Column("hash", sa.Text, primary_key=True), _of_account())
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Text, primary_key=True),
        _of_account(),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("public_key", sa.LargeBinary, nullable=False),
        sa.Column("sign_count", sa.BigInteger, nullable=False),
        sa.Column("transports", sa.Text, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("last_used_at", sa.Double),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        _of_account(),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("seen_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
        sa.Column("idle_seconds", sa.Double, nullable=False),
        sa.Column("proved_at", sa.Double, nullable=False),
        sa.Column("second_factor", sa.Text, nullable=False),
        sa.Column("how", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
    )
    op.create_table(
        "links",
        sa.Column("hash", sa.Text, primary_key=True),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("ends_at", sa.Double, nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("links", "sessions", "passkeys", "recovery_codes", "accounts"):
        op.drop_table(name)
