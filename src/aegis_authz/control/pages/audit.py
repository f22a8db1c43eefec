"""The pages of audit: records searched, the trail of an approval, and the proof of all logs."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.record_rows import cell, filter_fields, record_rows, time_of, whole_record
from aegis_authz.control.pages.templates import address, fragment_of, page_of
from aegis_authz.control.records.reconciling import ReconciliationState
from aegis_authz.control.records.verifying import Verification
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.reconciliation import WENT_BY
from aegis_authz.evidence.search import RecordGap, RecordPage, RecordSearch
from aegis_authz.evidence.timeline import Step

PATH = "/audit"
KINDS = ["decision", "approval"]
_MOST_DAMAGES = 20
_MOST_LOGS = 100


def audit_page(
    search: RecordSearch,
    words: dict[str, object],
    page: RecordPage,
    is_newest: bool,
    proof: dict[str, object] | None,
    reconciliation: dict[str, object] | None,
    gaps: Sequence[RecordGap],
    frame: Frame,
) -> Response:
    """The search, whose `words` stand in the address, with what it found; `proof` and `reconciliation`, the access
    logs held against the records, are None for whoever may not see them. `gaps` are the segments in which nothing is
    found; who may see the proof is told their names.
    """
    fields = [
        {"name": "kind", "label": "Kind", "value": search.kind, "choices": KINDS},
        *filter_fields(search),
        {"name": "approval", "label": "Approval", "value": search.approval_id},
        {"name": "since", "label": "Since, as 7d or 2026-11-30", "value": words["since"]},
        {"name": "until", "label": "Until, as 2h or 2026-12-01", "value": words["until"]},
    ]
    return page_of(
        "audit.html",
        200,
        frame,
        fields=fields,
        rows=record_rows(page.records),
        timeline=f"{PATH}/approvals/{search.approval_id}" if search.approval_id and page.records else "",
        newest="" if is_newest else address(PATH, words),
        older="" if page.older is None else address(PATH, {**words, "before": page.older}),
        proof=proof,
        reconciliation=reconciliation,
        gaps=[{"segment": cell(gap.segment), "fault": cell(gap.fault, 400)} for gap in gaps[:_MOST_LOGS]],
        gap_count=len(gaps),
    )


def timeline_page(approval_id: str, steps: Sequence[Step], frame: Frame) -> Response:
    """The trail of an approval: who asked, who decided, what used it, what became of that."""
    return page_of(
        "audit_timeline.html",
        200,
        frame,
        approval=approval_id,
        steps=[
            {
                "at": time_of(step.at),
                "after": _span(step.after),
                "sentence": cell(step.sentence, 400),
                "place": f"{cell(step.stored.file)} line {step.stored.number}",
                "decision": getattr(step.stored.record, "decision_id", ""),
                "text": whole_record(step.stored),
            }
            for step in steps
        ],
    )


def proof_view(verification: Verification | None, seal: str) -> dict[str, object]:
    """How the proof of all logs stands, and the seal of the form that begins another."""
    last = verification
    return {
        "seal": seal,
        "state": "none" if last is None else _state(last),
        "by": "" if last is None else cell(last.by),
        "begun": None if last is None else time_of(last.begun),
        "ended": None if last is None or last.ended is None else time_of(last.ended),
        "took": "" if last is None or last.ended is None else _span(last.ended - last.begun),
        "fault": "" if last is None else last.fault,
        "records": 0 if last is None else sum(report.records for report in last.reports),
        "logs": [] if last is None else [_log(report) for report in last.reports[:_MOST_LOGS]],
        "more_logs": 0 if last is None else max(0, len(last.reports) - _MOST_LOGS),
    }


def reconciliation_view(state: ReconciliationState) -> dict[str, object]:
    """How access logs and records fit together."""
    return {
        "trouble": state.trouble,
        "since": time_of(state.since),
        "looked_at": None if state.looked_at is None else time_of(state.looked_at),
        "calls": state.calls,
        "decisions": state.decisions,
        "outcomes": state.outcomes,
        "unjudged": state.unjudged,
        "passed": any(state.by_kind.get(kind.value) for kind in WENT_BY),
        "kinds": [{"name": name, "count": count} for name, count in sorted(state.by_kind.items())],
        "gaps": [
            {
                "kind": gap.kind.value,
                "badge": "bad" if gap.kind in WENT_BY else "wait",
                "place": f"{cell(gap.file)} line {gap.line}",
                "reason": cell(gap.reason, 400),
                "decision": cell(gap.decision_id),
            }
            for gap in state.gaps
        ],
    }


def proof_fragment(verification: Verification | None, seal: str) -> str:
    """The same as live updates send it."""
    return fragment_of("audit_proof.html", proof=proof_view(verification, seal))


def _state(verification: Verification) -> str:
    if verification.is_running:
        return "running"
    if verification.fault:
        return "failed"
    return "intact" if verification.is_intact else "damaged"


def _log(report: LogReport) -> dict[str, object]:
    state = ("not proven", "wait") if report.is_foreign else ("damaged", "bad")
    state = ("intact", "good") if report.is_intact else state
    has_times = report.first_time is not None and report.last_time is not None
    cuts = (f"a tail was cut off at a restart: {name}" for name in report.cuts)
    return {
        "writer": cell(report.writer),
        "state": "intact" if report.is_intact else state[0],
        "kind": "good" if report.is_intact else state[1],
        "records": report.records,
        "sealed": report.sealed,
        "first": time_of(report.first_time or 0.0) if has_times else None,
        "last": time_of(report.last_time or 0.0) if has_times else None,
        "head": report.head[:16] or "none",
        "key": cell(report.key_id),
        "damages": [cell(damage.sentence(), 400) for damage in report.damages[:_MOST_DAMAGES]],
        "more": max(0, report.damage_count - _MOST_DAMAGES),
        "notes": [cell(note, 400) for note in (*report.notes, *cuts)],
    }


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s"
