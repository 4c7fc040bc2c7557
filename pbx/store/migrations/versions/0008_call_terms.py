"""What a call is found by, and by what the messages of its legs are; who hid, what was recorded."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_FLAGS = ("hidden", "recorded")

# As pbx.store.calls.terms_of does it; the names of callers of before aren't found.
_OF_CALLS_BEFORE = """
INSERT INTO call_terms (term, call_id)
SELECT from_number, id FROM calls WHERE from_number <> ''
UNION SELECT dialled, id FROM calls WHERE dialled <> ''
UNION SELECT to_number, id FROM calls WHERE to_number <> ''
UNION SELECT number, call_id FROM legs WHERE number <> ''
UNION SELECT via, call_id FROM legs WHERE via <> ''
UNION SELECT device, call_id FROM legs WHERE substr(device, 1, 1) > '9'
"""


def upgrade() -> None:
    """Add them, and find the calls of before by the numbers in them."""
    for name in _FLAGS:
        flag = sa.Boolean(create_constraint=False)
        op.add_column("calls", sa.Column(name, flag, nullable=False, server_default=sa.false()))
    op.add_column("legs", sa.Column("sip_call_id", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "call_terms",
        sa.Column("term", sa.Text, primary_key=True),
        sa.Column("call_id", sa.Text, primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute(_OF_CALLS_BEFORE)


def downgrade() -> None:
    """Forget them."""
    op.drop_table("call_terms")
    op.drop_column("legs", "sip_call_id")
    for name in _FLAGS:
        op.drop_column("calls", name)
