"""The pages of decisions: the list that is watched, and why one was made."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.record_rows import (
    cell,
    filter_fields,
    plain,
    record_rows,
    time_of,
    value_text,
    whole_record,
)
from aegis_authz.control.pages.templates import address, fragment_of, page_of
from aegis_authz.control.reasons import advice
from aegis_authz.control.records.reading import DecisionTrail
from aegis_authz.core.money import decimal_text
from aegis_authz.core.record import ChargeRecord, DecisionRecord
from aegis_authz.evidence.position import Standing
from aegis_authz.evidence.search import IndexedRecord, RecordPage, RecordSearch
from aegis_authz.evidence.timeline import timeline

PATH = "/decisions"
_MOST_VALUES = 60
_MOST_RECORDS = 10
_STANDING_BADGES = {
    Standing.PROVEN: "good",
    Standing.LINKED: "note",
    Standing.UNSEALED: "wait",
    Standing.BROKEN: "bad",
}


@dataclass(frozen=True, slots=True)
class Doors:
    """Which other pages the reader of a decision may open."""

    approvals: bool
    policies: bool
    proof: bool


def decisions_page(search: RecordSearch, page: RecordPage, is_newest: bool, frame: Frame) -> Response:
    """The list of decisions; live where it begins with the newest."""
    words = filter_words(search)
    return page_of(
        "decisions.html",
        200,
        frame,
        fields=filter_fields(search),
        rows=record_rows(page.records),
        is_filtered=any(words.values()),
        events=address(f"{PATH}/events", words) if is_newest else "",
        newest="" if is_newest else address(PATH, words),
        older="" if page.older is None else address(PATH, {**words, "before": page.older}),
        missed=0,
    )


def decisions_list(records: Sequence[IndexedRecord], missed: int, is_filtered: bool) -> str:
    """The rows of the list alone, as live updates send them; `missed` came too fast to be shown."""
    return fragment_of("decisions_list.html", rows=record_rows(records), missed=missed, is_filtered=is_filtered)


def filter_words(search: RecordSearch) -> dict[str, object]:
    """The filter as it stands in addresses."""
    return {
        "tenant": search.tenant,
        "agent": search.agent,
        "tool": search.tool,
        "effect": search.effect,
        "reason": search.reason,
    }


def decision_page(trail: DecisionTrail, doors: Doors, frame: Frame) -> Response:
    """Why a decision was made, by what, how long it took, what is recorded of it, and whether that verifies."""
    decision, position = trail.decision, trail.position
    reading = advice(decision.reason)
    steps = timeline(decision.decision_id, [record.stored for record in trail.records])
    return page_of(
        "decision.html",
        200,
        frame,
        title=_title(decision),
        effect=decision.effect.value,
        would=decision.would,
        reading=reading,
        facts=_facts(decision),
        agent="" if decision.identity is None else cell(str(decision.identity.scope), 400),
        time=time_of(decision.time),
        policies=[cell(name) for name in decision.policies],
        findings=_findings(decision),
        values=[
            {"name": cell(name), "value": value_text(value)}
            for name, value in [*decision.parameters.items()][:_MOST_VALUES]
        ],
        more_values=max(0, len(decision.parameters) - _MOST_VALUES),
        withheld=decision.withheld or 0,
        charges=list(map(_charge, decision.charges)),
        stages=[{"name": cell(name), "ms": f"{took:.2f}", "share": took} for name, took in decision.stages.items()],
        total_ms=f"{decision.total_ms:.2f}",
        most_ms=max([decision.total_ms, *decision.stages.values(), 0.001]),
        steps=[{"at": time_of(step.at), "sentence": cell(step.sentence, 400)} for step in steps],
        records=[
            {"place": f"{cell(record.stored.file)} line {record.stored.number}", "text": whole_record(record.stored)}
            for record in trail.records[:_MOST_RECORDS]
        ],
        more_records=max(0, len(trail.records) - _MOST_RECORDS),
        position=position,
        standing=_STANDING_BADGES[position.standing],
        approval=decision.approval_id if doors.approvals else "",
        draft=_draft(decision) if doors.policies else "",
        revision=cell(decision.revision),
        may_prove=doors.proof,
        may_read_policies=doors.policies,
    )


def _title(decision: DecisionRecord) -> str:
    agent = "Nobody known" if decision.identity is None else cell(decision.identity.scope.agent)
    if decision.tool:
        return f"{agent}: {cell(decision.action) or 'a call'} on {cell(decision.tool)}"
    return f"{agent}: {cell(f'{decision.method} {decision.host}{decision.path}')}"


def _facts(decision: DecisionRecord) -> list[dict[str, str]]:
    """What is known of the call and its agent; what is not is left out."""
    identity = decision.identity
    facts = {
        "Decision": decision.decision_id,
        "On behalf of": "" if identity is None else identity.on_behalf_of,
        "Proven by": "" if identity is None else identity.way.value,
        "Tool": decision.tool,
        "Action": decision.action,
        "Request": f"{decision.method} {decision.scheme}://{decision.host}{decision.path}" if decision.host else "",
        "From": decision.source,
        "Environment": decision.environment,
        "Detail": decision.detail,
        "Approved by": decision.approved_by,
        "Cost": "" if decision.cost is None else str(decision.cost),
        "Digest of the call": decision.digest,
        "Trace": decision.trace_id,
    }
    return [{"name": name, "value": cell(value, 400)} for name, value in facts.items() if value]


def _findings(decision: DecisionRecord) -> list[dict[str, str]]:
    """The conditions that did not hold, with the value each was asked of, where the record holds it."""
    return [
        {
            "parameter": cell(finding.parameter),
            "condition": cell(finding.condition),
            "value": value_text(decision.parameters[finding.parameter])
            if finding.parameter in decision.parameters
            else "not recorded",
        }
        for finding in decision.findings
    ]


def _charge(charge: ChargeRecord) -> dict[str, str]:
    def amount(number: int) -> str:
        return f"{decimal_text(number)} {charge.currency}" if charge.currency else str(number)

    return {
        "limit": cell(charge.name or charge.limit),
        "policy": cell(charge.policy),
        "amount": amount(charge.amount),
        "left": amount(charge.left),
        "of": amount(charge.of),
    }


def _draft(decision: DecisionRecord) -> str:
    """The call as the playground takes it, "" for one that was refused before it was known; JSON is YAML, too."""
    if decision.identity is None or not decision.tool or not decision.action:
        return ""
    call = {
        "agent": str(decision.identity.scope),
        "tool": decision.tool,
        "action": decision.action,
        "parameters": plain(decision.parameters),
    }
    return json.dumps(call, indent=2)
