"""How records and their verification read, for people and as JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from aegis_authz.commands.access_log import ProxyRefusal
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import (
    ApprovalRecord,
    CutRecord,
    DecisionRecord,
    KeyRecord,
    OutcomeRecord,
    RedactionRecord,
    RefusalsRecord,
    SealRecord,
    UsageRecord,
)
from aegis_authz.evidence.document import record_to_json
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.reconciliation import Reconciliation
from aegis_authz.evidence.timeline import Step

_PROXY_COLUMNS = ("time", "status", "method", "authority", "details")
_COLUMNS = ("time", "answer", "reason", "agent", "tool", "action", "ms", "decision")
_WIDTHS = (24, 15, 20, 16, 16, 16, 6, 36)


def report_lines(reports: Sequence[LogReport]) -> Iterator[str]:
    """A short summary of each log, then each damage on a line of its own, then the verdict."""
    for report in reports:
        state = "intact" if report.is_intact else "NOT PROVEN" if report.is_foreign else "DAMAGED"
        yield (
            f"{report.writer}: {state}, {_amount(report.records, 'record')}{_span(report)}, "
            f"head {report.head[:16] or 'none'}, key {report.key_id}"
        )
        for cut in report.cuts:
            yield f"  note: the writer cut an unsealed tail off when it started; kept in {printable(cut)}"
        if report.unknown:
            yield f"  note: {_amount(report.unknown, 'record')} of a kind or version this aegis does not know"
        for note in report.notes:
            yield f"  note: {printable(note)}"
        for damage in report.damages:
            yield f"  {printable(damage.sentence())}"
        if report.damage_count > len(report.damages):
            yield f"  and {report.damage_count - len(report.damages)} more"
    total = _amount(sum(report.records for report in reports), "record")
    damaged = [report.writer for report in reports if not report.is_intact and not report.is_foreign]
    foreign = [report.writer for report in reports if report.is_foreign]
    if foreign:
        yield f"NOT PROVEN, signed with another key: {', '.join(foreign)}"
    if damaged:
        yield f"TAMPERED: {', '.join(damaged)} ({total} read)"
    elif not foreign:
        yield f"intact: {total} in {_amount(len(reports), 'log')}"


def report_json(reports: Sequence[LogReport]) -> str:
    """The same as one JSON object: `intact` and `logs`."""
    logs = [{**asdict(report), "intact": report.is_intact} for report in reports]
    intact = all(report.is_intact for report in reports)
    return json.dumps({"intact": intact, "logs": logs}, indent=2)


def table(records: Iterable[StoredRecord]) -> Iterator[str]:
    """One line a record, in columns."""
    rows = [_COLUMNS, *(_row(record) for record in records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def table_row(stored: StoredRecord) -> str:
    """One record in columns whose widths are the same for every record, for lists that do not end."""
    return "  ".join(cell.ljust(width) for cell, width in zip(_row(stored), _WIDTHS, strict=True)).rstrip()


def record_line(stored: StoredRecord) -> str:
    """A record, its file and its line as one line of JSON."""
    return json.dumps(_as_json(stored), ensure_ascii=False)


def in_full(stored: StoredRecord) -> Iterator[str]:
    """A record's place, then each of its members on a line."""
    yield f"{stored.file} line {stored.number}"
    for name, value in _members(stored).items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"  {printable(name)}: {printable(text)}"


def records_json(records: Iterable[StoredRecord]) -> str:
    """A JSON array of the records with `file` and `line`; `record` is null where a line cannot be read,
    and `fault` says why.
    """
    return json.dumps([_as_json(stored) for stored in records], indent=2)


def proxy_refusals_table(refusals: Sequence[ProxyRefusal]) -> Iterator[str]:
    """One line a request, in columns."""
    rows: list[tuple[str, ...]] = [_PROXY_COLUMNS]
    for refusal in refusals:
        cells = [refusal.members[name] for name in _PROXY_COLUMNS[:-1]]
        rows.append((*map(printable, cells), printable(refusal.fault or refusal.members["details"])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_PROXY_COLUMNS))]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def proxy_refusals_json(refusals: Sequence[ProxyRefusal]) -> str:
    """A JSON array of the members of each line; `fault` says why a line cannot be read."""
    return json.dumps([{**refusal.members, "fault": refusal.fault or None} for refusal in refusals], indent=2)


def reconciliation_lines(result: Reconciliation) -> Iterator[str]:
    """A line for each gap, then how many of each kind there are and of how much."""
    for gap in result.gaps:
        decision = f" (decision {printable(gap.decision_id)})" if gap.decision_id else ""
        yield f"{gap.kind.value}{decision} in {gap.file} line {gap.line}: {printable(gap.reason)}"
    calls, decisions = _amount(result.calls, "call"), _amount(result.decisions, "decision")
    extent = f"{calls}, {decisions} and {_amount(result.outcomes, 'outcome')}"
    if result.gaps:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(result.by_kind.items()))
        yield f"GAPS: {kinds} among {extent}"
    else:
        yield f"no gap among {extent}, from {_moment(result.since)} to {_moment(result.until)}"


def reconciliation_json(result: Reconciliation) -> str:
    """The same as one JSON object: `gaps`, `by_kind`, the counts, and the time looked at in seconds since the epoch."""
    content = {
        "gaps": [{**asdict(gap), "kind": gap.kind.value} for gap in result.gaps],
        "by_kind": dict(result.by_kind),
        "calls": result.calls,
        "decisions": result.decisions,
        "outcomes": result.outcomes,
        "since": result.since,
        "until": result.until,
    }
    return json.dumps(content, indent=2)


def timeline_lines(steps: Sequence[Step]) -> Iterator[str]:
    """A line for each step: when, how long after the first, what, and where its record stands."""
    for step in steps:
        place = f"{step.stored.file} line {step.stored.number}"
        yield f"{_moment(step.at)}  +{step.after:.1f}s  {printable(step.sentence)}  [{place}]"


def timeline_json(steps: Sequence[Step]) -> str:
    """A JSON array of `at`, `after` (seconds), `sentence`, `file`, `line` and `record`."""
    content = [
        {"at": step.at, "after": round(step.after, 3), "sentence": step.sentence, **_as_json(step.stored)}
        for step in steps
    ]
    return json.dumps(content, indent=2)


def printable(text: str) -> str:
    """The text with everything a terminal would obey spelt out: agents choose parts of what is recorded."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def _row(stored: StoredRecord) -> tuple[str, ...]:
    match stored.record:
        case DecisionRecord() as decision:
            answer = decision.effect.value + (f" (would {decision.would})" if decision.would else "")
            agent = decision.identity.scope.agent if decision.identity is not None else ""
            cells = (
                answer,
                decision.reason.value,
                agent,
                decision.tool,
                decision.action,
                str(decision.total_ms),
                decision.decision_id,
            )
        case RedactionRecord() as redaction:
            cells = ("redaction", redaction.outcome, "", "", redaction.target, "", redaction.decision_id)
        case ApprovalRecord() as held:
            by = f"{held.step.value} by {held.by}" if held.by else held.step.value
            cells = ("approval", by, held.scope.agent, held.tool, held.action, "", held.decision_id)
        case OutcomeRecord() as outcome:
            status, took = str(outcome.status or "none"), str(outcome.duration_ms)
            charge = "" if outcome.cost is None else f"{outcome.cost.money} {outcome.cost.state.value}"
            cells = ("outcome", status, "", "", charge, took, outcome.decision_id)
        case UsageRecord() as usage:
            tokens = "no tokens told" if usage.tokens is None else f"{sum(usage.tokens)} tokens"
            cells = ("usage", tokens, "", "", f"{usage.cost.money} {usage.cost.state.value}", "", usage.decision_id)
        case CutRecord() as cut:
            cells = ("cut", f"{cut.size} bytes", cut.kept_in, "", "", "", "")
        case KeyRecord() as change:
            cells = ("key", "another seals", change.key_id, "", "", "", "")
        case SealRecord() as seal:
            cells = ("seal", f"segment {seal.segment}", f"records {seal.first} to {seal.last}", "", "", "", "")
        case RefusalsRecord() as counted:
            first = next(iter(counted.decision_ids), "")
            cells = ("deny", counted.reason.value, f"{counted.count} times", "", ", ".join(counted.sources), "", first)
        case None:
            place, fault = printable(f"{stored.file}:{stored.number}"), printable(stored.fault)
            return ("?", "unreadable", place, "", "", "", "", fault)
    return (_moment(stored.record.time), *map(printable, cells))


def _as_json(stored: StoredRecord) -> dict[str, Json]:
    fault = stored.fault or None
    return {"file": stored.file, "line": stored.number, "record": _members(stored) or None, "fault": fault}


def _members(stored: StoredRecord) -> dict[str, Json]:
    return {} if stored.record is None else record_to_json(stored.record)


def _moment(value: float) -> str:
    try:
        whole = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(value))
    except (OverflowError, ValueError, OSError):  # a damaged line may name any number
        return str(value)
    return f"{whole}.{int(value % 1 * 1000):03d}Z"


def _span(report: LogReport) -> str:
    if report.first_time is None or report.last_time is None:
        return ""
    return f" from {_moment(report.first_time)} to {_moment(report.last_time)}"


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
