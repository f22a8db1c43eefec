"""Who answers for people whom the owners of a part of the mesh let in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of sponsors."""
    op.create_table(
        "sponsors",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("sponsor", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sponsors_person_id"),
        sa.PrimaryKeyConstraint("person_id", "sponsor", name="pk_sponsors"),
    )
