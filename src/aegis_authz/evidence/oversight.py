"""How people decided held calls, worked out from records: how many, how fast, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from statistics import median

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import ApprovalRecord, ApprovalStep, DecisionRecord, Record

HASTE = 3.0
"""Seconds below which nobody has read what was asked."""
_VERDICTS = frozenset((ApprovalStep.APPROVED, ApprovalStep.DENIED))


class Grouping(Enum):
    """What figures are grouped by."""

    TENANT = "tenant"
    RULE = "rule"
    """The documents that asked for the approval."""
    PERSON = "person"
    """Who decided; what nobody decided is under none."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Held calls that have `key` in common.

    `approved` and `denied` count verdicts of people, so that a call which needs two has two. `median_seconds` lies
    between question and verdict, None without any verdict; `hasty` are those of less than three seconds.
    """

    key: str
    asked: int
    approved: int
    denied: int
    cancelled: int
    expired: int
    median_seconds: float | None
    hasty: int


@dataclass
class _Group:
    asked: set[str] = field(default_factory=set)
    steps: Counter[ApprovalStep] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def figures(self, key: str) -> Figures:
        return Figures(
            key=key,
            asked=len(self.asked),
            approved=self.steps[ApprovalStep.APPROVED],
            denied=self.steps[ApprovalStep.DENIED],
            cancelled=self.steps[ApprovalStep.CANCELLED],
            expired=self.steps[ApprovalStep.EXPIRED],
            median_seconds=round(median(self.seconds), 3) if self.seconds else None,
            hasty=sum(seconds < HASTE for seconds in self.seconds),
        )


class OversightBook:
    """Takes records in whatever order. A verdict that did not come about counts for nothing."""

    def __init__(self, by: Grouping, since: float) -> None:
        """`since` is the moment (epoch seconds) from which on calls were asked about."""
        self._by = by
        self._since = since
        self._asked: dict[str, tuple[str, str]] = {}
        self._steps: dict[tuple[str, str], list[ApprovalRecord]] = {}

    def add(self, record: Record) -> None:
        """Take a record; those that have nothing to do with approvals are passed over."""
        match record:
            case DecisionRecord() if record.effect is Effect.APPROVAL_NEEDED and record.approval_id:
                if record.time >= self._since and record.identity is not None:
                    keys = (record.identity.scope.tenant_path, _rule(record.policies))
                    self._asked.setdefault(record.approval_id, keys)
            case ApprovalRecord() if record.requested_at >= self._since:
                keys = (record.scope.tenant_path, _rule(record.policies))
                self._asked.setdefault(record.approval_id, keys)
                self._steps.setdefault((record.approval_id, record.by), []).append(record)

    def rows(self) -> list[Figures]:
        """The figures, most asked first."""
        groups: dict[str, _Group] = {}
        if self._by is not Grouping.PERSON:
            for approval_id, keys in self._asked.items():
                key = keys[0] if self._by is Grouping.TENANT else keys[1]
                groups.setdefault(key, _Group()).asked.add(approval_id)
        for records in self._steps.values():
            for record in _standing(records):
                group = groups.setdefault(self._key(record), _Group())
                group.asked.add(record.approval_id)
                group.steps[record.step] += 1
                if record.step in _VERDICTS:
                    group.seconds.append(record.time - record.requested_at)
        figures = [group.figures(key) for key, group in groups.items()]
        return sorted(figures, key=lambda row: (-row.asked, row.key))

    def _key(self, record: ApprovalRecord) -> str:
        match self._by:
            case Grouping.TENANT:
                return record.scope.tenant_path
            case Grouping.RULE:
                return _rule(record.policies)
            case Grouping.PERSON:
                return record.by


def oversight_rows(records: Iterable[Record], by: Grouping, since: float) -> list[Figures]:
    """The figures of these records."""
    book = OversightBook(by, since)
    for record in records:
        book.add(record)
    return book.rows()


def _standing(records: Sequence[ApprovalRecord]) -> list[ApprovalRecord]:
    """Of what one person did to one approval, what came about: an undone step takes back the one before it."""
    steps: list[ApprovalRecord] = []
    for record in sorted(records, key=lambda record: record.time):
        if record.step is not ApprovalStep.UNDONE:
            steps.append(record)
        elif steps:
            steps.pop()
    return steps


def _rule(policies: Sequence[str]) -> str:
    return ", ".join(policies)
