"""When notices ended: what is old is looked for at each new notice."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_outbox_ended", "outbox", ["ended"], unique=False)
