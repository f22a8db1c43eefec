"""How people decide held calls, worked out from what became of them: how many, how fast, and who reads nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from statistics import median
from types import MappingProxyType

from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.oversight import HASTE, Figures

_VERDICTS = frozenset((ApprovalEventKind.APPROVED, ApprovalEventKind.DENIED))


class Dimension(Enum):
    """What figures are grouped by."""

    TENANT = "tenant"
    RULE = "rule"
    """The documents that asked for the approval."""
    PERSON = "person"
    """Who decided; what nobody decided is under none."""
    CHANNEL = "channel"
    """Where that was said: in the API, on a page, in Slack; what nobody decided is under none."""


_OF_DECISIONS = frozenset((Dimension.PERSON, Dimension.CHANNEL))


@dataclass
class _Group:
    approvals: set[str] = field(default_factory=set)
    kinds: Counter[ApprovalEventKind] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    def figures(self, key: str) -> Figures:
        return Figures(
            key=key,
            asked=len(self.approvals),
            approved=self.kinds[ApprovalEventKind.APPROVED],
            denied=self.kinds[ApprovalEventKind.DENIED],
            cancelled=self.kinds[ApprovalEventKind.CANCELLED],
            expired=self.kinds[ApprovalEventKind.EXPIRED],
            median_seconds=round(median(self.seconds), 3) if self.seconds else None,
            hasty=sum(seconds < HASTE for seconds in self.seconds),
        )


def figures_of(events: Iterable[ApprovalEvent], by: Dimension) -> list[Figures]:
    """The figures of these events, most asked first. Of people and channels, `asked` are calls that they decided."""
    groups: dict[str, _Group] = {}
    for event in events:
        if event.kind is ApprovalEventKind.ASKED and by in _OF_DECISIONS:
            continue
        group = groups.setdefault(_key(event, by), _Group())
        group.approvals.add(event.approval_id)
        group.kinds[event.kind] += 1
        if event.kind in _VERDICTS:
            group.seconds.append(event.seconds)
    return sorted((group.figures(key) for key, group in groups.items()), key=lambda row: (-row.asked, row.key))


def _key(event: ApprovalEvent, by: Dimension) -> str:
    match by:
        case Dimension.TENANT:
            return event.scope.tenant_path
        case Dimension.RULE:
            return ", ".join(event.policies)
        case Dimension.PERSON:
            return event.person
        case Dimension.CHANNEL:
            return event.channel


@dataclass(frozen=True, slots=True)
class StampTerms:
    """When somebody approves without reading: so many approvals within so many seconds, of which at least this share
    took less than three seconds.
    """

    approvals: int
    hasty_share: float
    within: Seconds


@dataclass(frozen=True, slots=True)
class Stamp:
    """Somebody who approves without reading: how many approvals, and how many of them nobody can have read."""

    person: str
    approvals: int
    hasty: int

    def __str__(self) -> str:
        return f"{self.hasty} of {self.approvals} approvals took less than {HASTE:g} seconds"


def stamps(events: Iterable[ApprovalEvent], terms: StampTerms) -> Mapping[str, Stamp]:
    """Who approves without reading, by these events of the time that the terms are about."""
    seconds: dict[str, list[float]] = {}
    for event in events:
        if event.kind is ApprovalEventKind.APPROVED and event.person:
            seconds.setdefault(event.person, []).append(event.seconds)
    by_person = {
        person: Stamp(person, len(spans), sum(span < HASTE for span in spans)) for person, spans in seconds.items()
    }
    return MappingProxyType(
        {
            person: stamp
            for person, stamp in by_person.items()
            if stamp.approvals >= terms.approvals and stamp.hasty >= terms.hasty_share * stamp.approvals
        }
    )
