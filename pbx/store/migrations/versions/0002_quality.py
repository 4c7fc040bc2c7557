"""How each party of a call was heard."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = ("mos", "loss_percent", "jitter_ms", "round_trip_ms")


def upgrade() -> None:
    """Add what was measured to each leg; calls before have none of it."""
    for name in _COLUMNS:
        op.add_column("legs", sa.Column(name, sa.Double))


def downgrade() -> None:
    """Forget what was measured."""
    for name in reversed(_COLUMNS):
        op.drop_column("legs", name)
