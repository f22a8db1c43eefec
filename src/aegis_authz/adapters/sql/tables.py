"""The tables of the control plane's database. Migrations make them; a test holds the two to each other."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""Times are seconds since the epoch. What is secret is kept as a hash alone."""

_ID, _HASH = String(128), String(64)

PEOPLE = Table(
    "people",
    METADATA,
    Column("id", _ID, primary_key=True),
    Column("name", String(128), nullable=False),
    Column("is_disabled", Boolean, nullable=False),
    Column("created", Double, nullable=False),
    Column("password_hash", String(256), nullable=False),
)

MEMBERSHIPS = Table(
    "memberships",
    METADATA,
    Column("person_id", _ID, ForeignKey("people.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),  # "group" or "role"
    Column("value", String(260), primary_key=True),
)

ADDRESSES = Table(
    "addresses",
    METADATA,
    Column("person_id", _ID, ForeignKey("people.id"), primary_key=True),
    Column("channel", String(32), primary_key=True),
    Column("address", String(256), nullable=False),
    UniqueConstraint("channel", "address"),
)

SPONSORS = Table(
    "sponsors",
    METADATA,
    Column("person_id", _ID, ForeignKey("people.id"), primary_key=True),
    Column("sponsor", _ID, primary_key=True),
)

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("hash", _HASH, primary_key=True),
    Column("person_id", _ID, ForeignKey("people.id"), nullable=False, index=True),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
)

CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("kind", String(16), primary_key=True),
    Column("value", String(512), primary_key=True),
    Column("person_id", _ID, ForeignKey("people.id"), nullable=False, index=True),
)

API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("hash", _HASH, nullable=False),
    Column("person_id", _ID, ForeignKey("people.id"), nullable=False, index=True),
    Column("label", String(128), nullable=False),
    Column("roles", Text, nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("is_revoked", Boolean, nullable=False),
)

CODES = Table(
    "codes",
    METADATA,
    Column("hash", _HASH, primary_key=True),
    Column("person_id", String(128), nullable=False),  # "" for the first owner, who is nobody yet
    Column("expires", Double, nullable=False),
)

FAILURES = Table(
    "failures",
    METADATA,
    Column("name", String(256), primary_key=True),
    Column("failures", Double, nullable=False),
    Column("last", Double, nullable=False),
)

SIGN_IN_PLACES = Table(
    "sign_in_places",
    METADATA,
    Column("person_id", _ID, ForeignKey("people.id"), primary_key=True),
    Column("network", String(64), primary_key=True),
    Column("last", Double, nullable=False),
)

CHANGE_LOG = Table(
    "change_log",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("person", _ID, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(512), nullable=False),
    Column("domain", String(128), nullable=False),
    Column("reason", Text, nullable=False),
    Column("previous", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False, unique=True),
)

RECORD_ANCHORS = Table(
    "record_anchors",
    METADATA,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("place", String(256), nullable=False),
    Column("writer", String(64), nullable=False),
    Column("first", _HASH, nullable=False),  # of the log's first record
    Column("size", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("previous", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False, unique=True),
    Index("ix_record_anchors_writer", "place", "writer", "number"),
)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("approval_id", String(64), nullable=False),  # or the id of an alert
    Column("place", String(320), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("channel", String(64), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("receipt", String(512), nullable=False),
    Column("trouble", String(512), nullable=False),
    Column("due", Double, nullable=False),
    Column("ended", Double, index=True),
    UniqueConstraint("approval_id", "place", "kind"),
    Index("ix_outbox_channel", "channel", "state", "due"),
)

ALERTS = Table(
    "alerts",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("org", String(64), nullable=False),
    Column("tenant", String(64), nullable=False),
    Column("agent", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("destination", String(320), nullable=False),
    Column("count", Integer, nullable=False),
    Column("first", Double, nullable=False),
    Column("last", Double, nullable=False, index=True),
    Column("decisions", Text, nullable=False),  # JSON: the ids of the first few
    Column("closed", Double),
    Index("ix_alerts_tenant", "org", "tenant", "closed"),
)

CALLBACKS = Table(
    "callbacks",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("id", _HASH, nullable=False, unique=True),
    Column("task_id", String(1024), nullable=False),
    Column("endpoint", String(1024), nullable=False),
    Column("person", _ID, nullable=False),
    Column("wanted", Text, nullable=False),  # JSON: what is sent back, and of which endings
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("trouble", String(512), nullable=False),
    Column("due", Double, nullable=False),
    Column("ended", Double, index=True),
    Index("ix_callbacks_state", "state", "due"),
)

POLICY_RELEASES = Table(
    "policy_releases",
    METADATA,
    Column("revision", _ID, primary_key=True),
    Column("documents", Text, nullable=False),  # JSON: policies and tools by path
    Column("bundle", LargeBinary, nullable=False),  # with its signature in it
    Column("digest", _HASH, nullable=False),  # of the bundle
    Column("tests", Text, nullable=True),  # JSON: policy tests by path; NULL where none came along
)

POLICY_CHANGES = Table(
    "policy_changes",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", Double, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("revision", _ID, nullable=False),
    Column("previous", _ID, nullable=False),
    Column("person", _ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("agent", Text),  # whom the line is about, where it is not about documents
)

PROPOSALS = Table(
    "proposals",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("base", _ID, nullable=False),
    Column("documents", Text, nullable=False),  # JSON: policies and tools by path
    Column("kind", String(16), nullable=False),
    Column("person", _ID, nullable=False),
    Column("at", Double, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("decided_by", _ID, nullable=False),
    Column("tests", Text, nullable=True),  # as in policy_releases
)

ENROLLED_KEYS = Table(
    "enrolled_keys",
    METADATA,
    Column("raw_key", String(64), primary_key=True),  # the public half, in hex
    Column("agent", Text, nullable=False),
    Column("at", Double, nullable=False),
    Column("person", _ID, nullable=False),  # who had invited it
)

INVITATIONS = Table(
    "invitations",
    METADATA,
    Column("digest", _HASH, primary_key=True),
    Column("agent", Text, nullable=False),
    Column("person", _ID, nullable=False),
    Column("expires", Double, nullable=False),
)

REVOCATIONS = Table(
    "revocations",
    METADATA,
    Column("mark", Text, primary_key=True),
    Column("person", _ID, nullable=False),
    Column("at", Double, nullable=False),
)

BEGINNINGS = Table(
    "beginnings",
    METADATA,
    Column("name", String(32), primary_key=True),
    Column("life", String(64), nullable=False),  # of the store in which it was begun; "" once it was finished
)

APPROVAL_HISTORY = Table(
    "approval_history",
    METADATA,
    Column("number", Integer, primary_key=True),
    Column("approval_id", String(64), nullable=False),
    Column("org", String(128), nullable=False),
    Column("tenant", String(128), nullable=False),
    Column("agent", String(128), nullable=False),
    Column("tool", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("policies", JSON, nullable=False),
    Column("groups", JSON, nullable=False),
    Column("event", String(16), nullable=False),
    Column("person", _ID, nullable=False),  # "" where nobody decided
    Column("channel", String(64), nullable=False),
    Column("reason", String(512), nullable=False),
    Column("at", Double, nullable=False, index=True),
    Column("seconds", Double, nullable=False),  # since the question
    UniqueConstraint("approval_id", "event", "person"),
)
