"""Records as rows of lists, and as texts: whatever an agent chose of them is one line of printable ASCII, cut short."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalRecord, DecisionRecord
from aegis_authz.evidence.document import record_to_json
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.search import IndexedRecord, RecordSearch
from aegis_authz.notices.words import ascii_line

EFFECTS = [effect.value for effect in Effect]
REASONS = sorted(reason.value for reason in Reason)
_MOST_CELL = 100
_END_OF_TIME = 253_402_300_799.0
_MOST_TEXT = 20_000


def cell(text: str, most: int = _MOST_CELL) -> str:
    """A text on one line of printable ASCII, of at most so many characters."""
    line = ascii_line(text)
    return line if len(line) <= most else f"{line[: most - 3]}..."


def time_of(seconds: float) -> float:
    """A moment that a page can show: a damaged line may name any number."""
    return min(max(seconds, 0.0), _END_OF_TIME)


def record_rows(records: Iterable[IndexedRecord]) -> list[dict[str, object]]:
    """Decisions and steps of approvals as rows of a list."""
    return [row for record in records if (row := _row(record)) is not None]


def _row(record: IndexedRecord) -> dict[str, object] | None:
    match record.stored.record:
        case DecisionRecord() as decision:
            scope = None if decision.identity is None else decision.identity.scope
            call = f"{decision.method} {decision.host}{decision.path}" if not decision.tool else decision.action
            return {
                "id": cell(decision.decision_id),
                "time": time_of(decision.time),
                "effect": decision.effect.value,
                "would": decision.would,
                "step": "",
                "reason": decision.reason.value,
                "agent": "nobody known" if scope is None else cell(scope.agent),
                "tenant": "" if scope is None else cell(f"{scope.org}/{scope.tenant}"),
                "tool": cell(decision.tool),
                "call": cell(call) or "(no action)",
                "ms": f"{decision.total_ms:.1f}",
                "approval": cell(decision.approval_id),
            }
        case ApprovalRecord() as held:
            return {
                "id": cell(held.decision_id),
                "time": time_of(held.time),
                "effect": "",
                "would": "",
                "step": f"{held.step.value} by {cell(held.by)}" if held.by else held.step.value,
                "reason": cell(held.note),
                "agent": cell(held.scope.agent),
                "tenant": cell(f"{held.scope.org}/{held.scope.tenant}"),
                "tool": cell(held.tool),
                "call": cell(held.action) or "(no action)",
                "ms": "",
                "approval": cell(held.approval_id),
            }
        case None:
            return _unread_row(record)
        case _:
            return None


def _unread_row(record: IndexedRecord) -> dict[str, object]:
    """A record that is there and cannot be read: when it was made is all that is shown."""
    words = ("id", "effect", "would", "reason", "agent", "tenant", "tool", "ms", "approval")
    row: dict[str, object] = dict.fromkeys(words, "")
    place = f"{record.stored.file} line {record.stored.number}"
    return row | {"time": time_of(record.place.time), "step": "unread", "call": f"{cell(place)} cannot be read here"}


def filter_fields(search: RecordSearch) -> list[dict[str, object]]:
    """The fields by which a list is filtered, with what they say now."""
    return [
        {"name": "tenant", "label": "Tenant (org/tenant)", "value": search.tenant},
        {"name": "agent", "label": "Agent", "value": search.agent},
        {"name": "tool", "label": "Tool", "value": search.tool},
        {"name": "effect", "label": "Answer", "value": search.effect, "choices": EFFECTS},
        {"name": "reason", "label": "Reason", "value": search.reason, "choices": REASONS},
    ]


def whole_record(stored: StoredRecord) -> str:
    """All members of a record as JSON in ASCII, cut where it is longer than a page bears."""
    members = {} if stored.record is None else record_to_json(stored.record)
    text = json.dumps(plain(members), indent=2, ensure_ascii=True)
    if len(text) <= _MOST_TEXT:
        return text
    return f"{text[:_MOST_TEXT]}\n... and {len(text) - _MOST_TEXT} characters more: aegis audit show tells them"


def value_text(value: object) -> str:
    """A value of a call as JSON on one line, cut short."""
    text = json.dumps(plain(value), ensure_ascii=True)
    return text if len(text) <= 4 * _MOST_CELL else f"{text[: 4 * _MOST_CELL]}..."


def plain(value: object) -> object:
    """A value of a record, whose objects and lists may be frozen, as JSON writes it."""
    if isinstance(value, Mapping):
        return {str(name): plain(member) for name, member in value.items()}
    return [plain(member) for member in value] if isinstance(value, list | tuple) else value
