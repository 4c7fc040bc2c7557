"""Waves of desk telephones, what each has fetched, and passwords that wait to be fetched."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make their tables."""
    op.create_table(
        "phone_waves",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("begun_at", sa.Double, nullable=False),
        sa.Column("over_at", sa.Double, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("cause", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("hour_from", sa.Integer, nullable=False),
        sa.Column("hour_until", sa.Integer, nullable=False),
        sa.Column("stopped", sa.Text, nullable=False),
    )
    op.create_table(
        "phone_wave_members",
        sa.Column("wave", sa.Integer, sa.ForeignKey("phone_waves.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("phone", sa.Text, sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("settled_at", sa.Double, nullable=False),
    )
    op.create_table(
        "phone_settings",
        sa.Column("phone", sa.Text, sa.ForeignKey("phones.name", ondelete="CASCADE"), primary_key=True),
        sa.Column("fetched_at", sa.Double, nullable=False),
        sa.Column("fetched", sa.Text, nullable=False),
        sa.Column("wanted", sa.Text, nullable=False),
    )
    op.create_table(
        "phone_passwords",
        sa.Column("sign_in", sa.Text, sa.ForeignKey("devices.sign_in", ondelete="CASCADE"), primary_key=True),
        sa.Column("ha1_md5", sa.Text, nullable=False),
        sa.Column("ha1_sha256", sa.Text, nullable=False),
        sa.Column("sealed_password", sa.LargeBinary, nullable=False),
        sa.Column("made_at", sa.Double, nullable=False),
    )
    op.create_index("ix_phone_waves_over_at", "phone_waves", ["over_at"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("phone_passwords")
    op.drop_table("phone_settings")
    op.drop_table("phone_wave_members")
    op.drop_table("phone_waves")
