"""People, how they sign in, what they change, and what is to be told of approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_SQLITE_TRIGGER = """\
CREATE TRIGGER change_log_no_{verb} BEFORE {verb} ON change_log
BEGIN SELECT RAISE(ABORT, 'a line of the change log stays as it was written'); END"""
_POSTGRESQL_FUNCTION = """\
CREATE FUNCTION change_log_stays() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'a line of the change log stays as it was written'; END $$"""
_POSTGRESQL_TRIGGER = """\
CREATE TRIGGER change_log_no_{verb} BEFORE {verb} ON change_log EXECUTE FUNCTION change_log_stays()"""


def upgrade() -> None:
    """Make the first tables."""
    _people()
    _sign_in()
    _logs()
    _keep_change_log()


def _people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=128), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("is_disabled", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("password_hash", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
    )
    op.create_table(
        "memberships",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=260), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_memberships_person_id"),
        sa.PrimaryKeyConstraint("person_id", "kind", "value", name="pk_memberships"),
    )
    op.create_table(
        "addresses",
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=256), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_addresses_person_id"),
        sa.PrimaryKeyConstraint("person_id", "channel", name="pk_addresses"),
        sa.UniqueConstraint("channel", "address", name="uq_addresses_channel"),
    )


def _sign_in() -> None:
    op.create_table(
        "sessions",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_sessions_person_id"),
        sa.PrimaryKeyConstraint("hash", name="pk_sessions"),
    )
    op.create_index("ix_sessions_person_id", "sessions", ["person_id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("label", sa.String(length=128), nullable=False),
        sa.Column("roles", sa.Text(), nullable=False),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.Column("is_revoked", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_api_keys_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_index("ix_api_keys_person_id", "api_keys", ["person_id"], unique=False)
    op.create_table(
        "codes",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("person_id", sa.String(length=128), nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_codes"),
    )
    op.create_table(
        "failures",
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_failures"),
    )


def _logs() -> None:
    op.create_table(
        "change_log",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=512), nullable=False),
        sa.Column("domain", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("previous", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_change_log"),
        sa.UniqueConstraint("hash", name="uq_change_log_hash"),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=320), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("receipt", sa.String(length=512), nullable=False),
        sa.Column("trouble", sa.String(length=512), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("ended", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="pk_outbox"),
        sa.UniqueConstraint("approval_id", "place", "kind", name="uq_outbox_approval_id"),
    )
    op.create_index("ix_outbox_channel", "outbox", ["channel", "state", "due"])
    op.create_table(
        "approval_history",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("approval_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("person", sa.String(length=128), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=512), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_approval_history"),
    )
    op.create_index("ix_approval_history_approval_id", "approval_history", ["approval_id"], unique=False)


def _keep_change_log() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(_SQLITE_TRIGGER.format(verb=verb))
        return
    op.execute(_POSTGRESQL_FUNCTION)
    for verb in ("UPDATE", "DELETE", "TRUNCATE"):
        op.execute(_POSTGRESQL_TRIGGER.format(verb=verb))
