"""A search of records for a reader: what is sought, of which tenants, page after page from the newest on."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from aegis_authz.core.effect import Effect
from aegis_authz.core.person import WHOLE_MESH, Domain
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalRecord, DecisionRecord, Record
from aegis_authz.core.scope import NAME
from aegis_authz.evidence.query import StoredRecord

_PLACE = re.compile(
    r"(?P<time>[0-9.e+-]{1,24})~(?P<writer>[^~/]{1,255})~(?P<file>[0-9]{8}\.jsonl)~(?P<line>[1-9][0-9]{0,9})"
)
MOST_WORD = 256
"""Characters of a name or an id that is sought."""


class RecordsUnavailable(Exception):
    """The records cannot be read now; the message says why and is fit to show."""


class SearchTooLong(Exception):
    """A search took longer than any may; fewer records are looked at where more is said of what is sought."""


@dataclass(frozen=True, slots=True)
class RecordGap:
    """A segment, `writer/file`, that no search finds anything in, and why it cannot be read; "" for one that is being
    read at last.
    """

    segment: str
    fault: str


@dataclass(frozen=True, slots=True)
class RecordSearch:
    """What decisions and approvals are sought; "" is any.

    `tenant` is org/tenant, `agent` a name or org/tenant/agent; the times, from `since` on and before `until`, are epoch
    seconds. `kind` is "decision" or "approval".
    """

    kind: str
    tenant: str
    agent: str
    tool: str
    effect: str
    reason: str
    approval_id: str
    since: float
    until: float

    def __post_init__(self) -> None:
        """Raises ValueError for a word that can be none, with what may be there."""
        if self.kind not in ("", "decision", "approval"):
            raise ValueError("kind: must be decision or approval")
        if self.effect and self.effect not in {effect.value for effect in Effect}:
            raise ValueError(f"effect: must be one of {', '.join(effect.value for effect in Effect)}")
        if self.reason and self.reason not in {reason.value for reason in Reason}:
            raise ValueError("reason: must be a code of docs/reasons.md, such as POLICY_DENIED")
        if self.tenant and not _is_tenant(self.tenant):
            raise ValueError("tenant: must be org/tenant")
        if any(len(word) > MOST_WORD for word in (self.agent, self.tool, self.approval_id)):
            raise ValueError(f"agent, tool and approval: at most {MOST_WORD} characters each")
        if math.isnan(self.since) or math.isnan(self.until):
            raise ValueError("since and until: must be times")

    def accepts(self, record: Record | None) -> bool:
        """Whether this record is sought, as the index finds it."""
        match record:
            case DecisionRecord():
                scope = None if record.identity is None else record.identity.scope
                kind, names = "decision", (record.effect.value, record.reason.value)
            case ApprovalRecord():
                scope, kind, names = record.scope, "approval", ("", "")
            case _:
                return False
        tenant = "" if scope is None else f"{scope.org}/{scope.tenant}"
        agents = ("",) if scope is None else ("", scope.agent, str(scope))
        return (
            self.kind in ("", kind)
            and self.tenant in ("", tenant)
            and self.agent in agents
            and self.tool in ("", record.tool)
            and self.effect in ("", names[0])
            and self.reason in ("", names[1])
            and self.approval_id in ("", record.approval_id)
            and self.since <= record.time < self.until
        )


EVERY_RECORD = RecordSearch("", "", "", "", "", "", "", 0.0, math.inf)
"""A search for every decision and approval."""


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Where a record stands in the order of pages: by its time (epoch seconds), then by its line."""

    time: float
    writer: str
    file: str
    line: int

    @staticmethod
    def parse(text: str) -> RecordPlace:
        """Read what `str` wrote. Raises ValueError."""
        match = _PLACE.fullmatch(text)
        if match is None or not math.isfinite(float(match["time"])):
            raise ValueError("this is no place in the records")
        return RecordPlace(float(match["time"]), match["writer"], match["file"], int(match["line"]))

    def __str__(self) -> str:
        return f"{self.time!r}~{self.writer}~{self.file}~{self.line}"


@dataclass(frozen=True, slots=True)
class IndexedRecord:
    """A record, where it stands, and the bytes of its line."""

    stored: StoredRecord
    place: RecordPlace
    offset: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Some of what was sought, newest first, and from where older ones go on, None where there are none."""

    records: tuple[IndexedRecord, ...]
    older: RecordPlace | None


def sees_all(domains: Collection[Domain]) -> bool:
    """Whether who reads in these domains sees what belongs to no tenant, too."""
    return WHOLE_MESH in domains


def _is_tenant(text: str) -> bool:
    org, _, tenant = text.partition("/")
    return NAME.match(org) is not None and NAME.match(tenant) is not None
