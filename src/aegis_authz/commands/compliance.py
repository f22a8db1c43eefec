"""A report on a tenant: what records say of it, whether they are whole, and whether a call went by them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.commands.backtest import Period, ordered_batches
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.reconcile import reconcile_records
from aegis_authz.commands.records import verify_records
from aegis_authz.evidence.compliance import ComplianceBook, Section, moment
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.reconciliation import Reconciliation

_PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """The tables of a report. `is_sound` says that every log is proven and no gap was found where one was sought."""

    tenant: str
    period: Period
    sections: tuple[Section, ...]
    is_sound: bool


@dataclass(frozen=True, slots=True)
class ReportSources:
    """Where the records are, the state of their mesh, and Envoys' access logs, without which no gap is sought."""

    records: Path
    state: Path | None
    logs: tuple[Path, ...]


@unable_on(NoRecords, OSError)
def compliance_report(sources: ReportSources, tenant: str, period: Period) -> ComplianceReport:
    """Prove the logs, read them, and hold access logs against them. Raises Unable."""
    proofs = verify_records(sources.records, sources.state, None, None, None, ())
    book = ComplianceBook(tenant, period.since, period.until)
    for batch in ordered_batches(sources.records):
        book.take(batch)
    gaps = reconcile_records(sources.logs, sources.records, _PATIENCE, period.since) if sources.logs else None
    is_whole = all(report.is_intact and not report.is_foreign for report in proofs)
    sections = (*book.sections(), _gaps(gaps), _proofs(proofs, book.unreadable))
    return ComplianceReport(tenant, period, sections, is_whole and not (gaps is not None and gaps.gaps))


def _gaps(result: Reconciliation | None) -> Section:
    columns = ("kind", "decision", "where", "why")
    if result is None:
        return Section("Gaps", "Not sought: no access log was given.", columns, ())
    rows = tuple((gap.kind.value, gap.decision_id, f"{gap.file} line {gap.line}", gap.reason) for gap in result.gaps)
    remark = "Envoys' access logs held against the records of the whole mesh, from the beginning of the time on."
    return Section("Gaps", remark, columns, rows)


def _proofs(proofs: list[LogReport], unreadable: int) -> Section:
    rows = tuple(
        (
            report.writer,
            "intact" if report.is_intact else "NOT PROVEN" if report.is_foreign else "DAMAGED",
            str(report.records),
            "" if report.first_time is None else moment(report.first_time),
            "" if report.last_time is None else moment(report.last_time),
            ", ".join(report.key_ids),
        )
        for report in proofs
    )
    remark = "The whole logs, as aegis audit verify proves them."
    if unreadable:
        remark += f" {unreadable} lines are of a kind that is not known here."
    return Section("Proofs", remark, ("log", "state", "records", "first", "last", "keys"), rows)
