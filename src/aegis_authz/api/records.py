"""Records as the control plane answers them to programs: as they were written, with their places."""

from __future__ import annotations

from pydantic import JsonValue

from aegis_authz.api.model import Answer


class RecordAnswer(Answer):
    """A record's members as in docs/records.md, none of one that cannot be read (encrypted, its key not here), and
    where it stands: its log's file and the line in it, from 1.
    """

    file: str
    line: int
    record: dict[str, JsonValue]


class RecordPageAnswer(Answer):
    """Decisions and steps of approvals, newest first.

    `older` is what to send as `before` for the next page, "" where there is none.
    """

    records: tuple[RecordAnswer, ...]
    older: str


class ChainPositionAnswer(Answer):
    """Where a record stands in its chain, and what that proves; `hash` is in hex.

    `standing` is `proven`, `linked`, `unsealed` or `broken`; `sealed` is how many records the newest checkpoint covers.
    """

    writer: str
    seq: int
    hash: str
    sealed: int
    standing: str
    words: str


class DecisionTrailAnswer(Answer):
    """All records of one decision, oldest first, what its reason means, and the place of its own record."""

    records: tuple[RecordAnswer, ...]
    reason: str
    sentence: str
    position: ChainPositionAnswer


class StepAnswer(Answer):
    """One step of an approval: `at` in seconds since the epoch, `after` in seconds since the first."""

    at: float
    after: float
    sentence: str
    file: str
    line: int
    record: dict[str, JsonValue]


class TimelineAnswer(Answer):
    """The trail of one approval, oldest step first."""

    approval_id: str
    steps: tuple[StepAnswer, ...]


class LogAnswer(Answer):
    """What a proof says of one log; `damages` describes the first of `damage_count`."""

    writer: str
    records: int
    sealed: int
    is_intact: bool
    is_foreign: bool
    head: str
    key_ids: tuple[str, ...]
    damages: tuple[str, ...]
    damage_count: int
    notes: tuple[str, ...]


class VerificationAnswer(Answer):
    """A proof of all records: `state` is `none` before the first, `running`, `intact`, `damaged`, or `failed` for the
    `fault` that it gives. Times are seconds since the epoch, None for none yet.
    """

    state: str
    by: str = ""
    begun: float | None = None
    ended: float | None = None
    fault: str = ""
    logs: tuple[LogAnswer, ...] = ()
