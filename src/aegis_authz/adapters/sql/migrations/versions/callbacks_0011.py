"""Callbacks of access requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "callbacks",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("task_id", sa.String(length=1024), nullable=False),
        sa.Column("endpoint", sa.String(length=1024), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("wanted", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(length=512), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_callbacks"),
        sa.UniqueConstraint("id", name="uq_callbacks_id"),
    )
    op.create_index("ix_callbacks_ended", "callbacks", ["ended"], unique=False)
    op.create_index("ix_callbacks_state", "callbacks", ["state", "due"], unique=False)
