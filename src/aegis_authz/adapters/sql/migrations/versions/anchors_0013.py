"""Where the logs of records stood."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# as 0001 has them for the change log, and not imported: what a migration made once, it makes for ever
_SQLITE_TRIGGER = """\
CREATE TRIGGER record_anchors_no_{verb} BEFORE {verb} ON record_anchors
BEGIN SELECT RAISE(ABORT, 'an anchor stays as it was written'); END"""
_POSTGRESQL_FUNCTION = """\
CREATE FUNCTION record_anchors_stay() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'an anchor stays as it was written'; END $$"""
_POSTGRESQL_TRIGGER = """\
CREATE TRIGGER record_anchors_no_{verb} BEFORE {verb} ON record_anchors EXECUTE FUNCTION record_anchors_stay()"""


def upgrade() -> None:
    """Make the table, of which nothing is ever altered."""
    op.create_table(
        "record_anchors",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("place", sa.String(length=256), nullable=False),
        sa.Column("writer", sa.String(length=64), nullable=False),
        sa.Column("first", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_record_anchors"),
        sa.UniqueConstraint("hash", name="uq_record_anchors_hash"),
    )
    op.create_index("ix_record_anchors_writer", "record_anchors", ["place", "writer", "number"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_TRIGGER.format(verb=verb))
        return
    op.execute(_POSTGRESQL_FUNCTION)
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(_POSTGRESQL_TRIGGER.format(verb=verb))
