"""Decision records as questions to a candidate: which can be asked again, and which answer stood on record."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis_authz.core.call import CallKind
from aegis_authz.core.decision import Evaluation
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import KINDS, Count, Rate
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.units import Jti
from aegis_authz.evidence.replay import NotJudged, assumed, replayed
from aegis_authz.lab.cases import REASONS_OF_POLICY
from aegis_authz.lab.record_comparison import kind_of_version_1
from aegis_authz.policy.load import Loaded

_BY_LIMITS = frozenset(
    (
        Reason.GRANT_USED_UP,
        Reason.RATE_LIMITED,
        Reason.BUDGET_EXCEEDED,
        Reason.COUNT_EXCEEDED,
        Reason.CONCURRENCY_EXCEEDED,
        Reason.FLAG_MISSING,
        Reason.FLAG_SET,
    )
)
_HELD = frozenset(
    (
        Reason.APPROVED,
        Reason.APPROVAL_DENIED,
        Reason.APPROVAL_TOO_LARGE,
        Reason.APPROVAL_UNATTENDED,
        Reason.APPROVALS_FULL,
    )
)
_COMPARED = frozenset(REASONS_OF_POLICY) | _BY_LIMITS | _HELD | {Reason.QUARANTINED}
_CALLS = frozenset((KINDS[Rate], KINDS[Count]))


class NotOfPolicy(Exception):
    """The call was refused beside policy, whatever documents there are; the message says by which reason."""


@dataclass(frozen=True, slots=True)
class RecordedQuestion:
    """A recorded call that can be asked again.

    `effect` is what policy and limits made of it: a call that a person let through, or refused, was held. `was_let`
    says whether a person let it through. `is_quarantined` where its agent was, of which the record does not say by
    whom.
    """

    record: DecisionRecord
    question: Evaluation
    effect: Effect
    was_let: bool
    is_quarantined: bool


def recorded_question(record: DecisionRecord, loaded: Loaded, serial: int) -> RecordedQuestion:
    """The question of a record, to be asked under documents. `serial` names the call, and no other.

    Raises NotOfPolicy for what policy had no say in, and NotJudged where the record, or the catalogue of the
    documents, does not hold what would have to be asked.
    """
    if record.reason not in _COMPARED:
        raise NotOfPolicy(record.reason.value)
    if record.withheld and record.sealed is None:
        raise NotJudged("the record holds not all parameters of the call, which is known by its digest alone")
    if record.version == 1:
        record = assumed(record, kind_of_version_1(record, loaded))
    question = replayed(record)
    _require_known(record, loaded)
    # each call spends a token of its own: that it was fresh is on record
    identity = replace(question.identity, jti=Jti(f"recorded-{serial}"), proof=None)
    call = replace(question.call, batch=_operations(record))
    was_held = record.reason in _HELD
    return RecordedQuestion(
        record=record,
        question=replace(question, identity=identity, call=call),
        effect=Effect.APPROVAL_NEEDED if was_held else record.effect,
        was_let=record.reason is Reason.APPROVED,
        is_quarantined=record.reason is Reason.QUARANTINED,
    )


def _operations(record: DecisionRecord) -> int:
    """How many operations a list of them held, as limits that count calls have charged it; 0 for a single call."""
    most = max((charge.amount for charge in record.charges if charge.kind in _CALLS), default=0)
    return most if most > 1 else 0


def _require_known(record: DecisionRecord, loaded: Loaded) -> None:
    """Refuse a call that the catalogue would read in another way than it was read. Raises NotJudged."""
    if record.kind is CallKind.UNCLAIMED:
        if any(tool.host == record.host and tool.port in (None, record.port) for tool in loaded.tools):
            raise NotJudged(f"no tool answered at {record.host}, and one does in the candidate")
        return
    entry = loaded.known_tools.get(record.tool)
    if entry is None or entry.tool.is_mcp is (record.kind is CallKind.ACTION):
        raise NotJudged(f"the candidate has no tool {record.tool}, or one of another kind")
    if record.kind is CallKind.MCP_SESSION or entry.actions is None:
        return
    declared = entry.actions.get(record.action)
    if declared is None:
        raise NotJudged(f"the candidate has no action {record.action} of {record.tool}")
    for name in record.parameters if declared and record.action not in entry.open_actions else ():
        if name not in declared:
            raise NotJudged(f"the candidate does not read {name} of {record.action}")
    for parameter in entry.tool.parameters_of(record.action) if record.effect.lets_through else ():
        if not parameter.optional and parameter.name not in record.parameters:
            raise NotJudged(f"the candidate demands {parameter.name} of {record.action}, which was not read then")
