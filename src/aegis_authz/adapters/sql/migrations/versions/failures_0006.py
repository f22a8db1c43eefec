"""Failures of signing in that are forgotten little by little. Those of the last day begin from none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of failures anew."""
    op.drop_table("failures")
    op.create_table(
        "failures",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("failures", sa.Double(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_failures"),
    )
