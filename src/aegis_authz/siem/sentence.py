"""A record in a line for a person, the same in every format."""

from __future__ import annotations

from aegis_authz.core.record import ApprovalRecord, DecisionRecord, RefusalsRecord


def decision_sentence(record: DecisionRecord) -> str:
    """Who called what, and what was answered."""
    agent = "an unknown agent" if record.identity is None else str(record.identity.scope)
    target = " ".join(part for part in (record.tool, record.action) if part) or record.host or "no known tool"
    return f"{agent}: {target}: {record.effect.value} ({record.reason.value})"


def approval_sentence(record: ApprovalRecord) -> str:
    """Who decided about which call; `time` where nobody did."""
    return f"{record.by or 'time'}: {record.scope}: {record.tool} {record.action}: {record.step.value}"


def refusals_sentence(record: RefusalsRecord) -> str:
    """How many calls were refused, and why."""
    return f"{record.count} calls were refused: {record.reason.value}"
