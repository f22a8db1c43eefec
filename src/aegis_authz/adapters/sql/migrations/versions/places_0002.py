"""From where people have signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of places."""
    op.create_table(
        "sign_in_places",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sign_in_places_person_id"),
        sa.PrimaryKeyConstraint("person_id", "network", name="pk_sign_in_places"),
    )
