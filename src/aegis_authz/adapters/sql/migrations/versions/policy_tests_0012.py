"""The policy tests of a publication, with its version and with its proposal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; what is there already came without tests."""
    for table in ("policy_releases", "proposals"):
        op.add_column(table, sa.Column("tests", sa.Text(), nullable=True))
