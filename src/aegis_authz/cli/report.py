"""`aegis report`: what records say of a tenant over a time, for whoever audits it."""

from __future__ import annotations

import math
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, OptionalState, records_folder, since_option


class ReportFormat(Enum):
    """How a report is written."""

    HTML = "html"
    JSON = "json"
    CSV = "csv"


def report(
    tenant: Annotated[str, typer.Option("--tenant", help="org/tenant.")],
    begin: Annotated[str, typer.Option("--from", help="From then on: 30d, 2026-11-01.")],
    end: Annotated[str, typer.Option("--to", help="Before then; until now where nothing is said.")] = "",
    state: OptionalState = None,
    records: Annotated[
        Path | None, typer.Option("--records", help="The folder of records.", show_default="DIR/records")
    ] = None,
    logs: Annotated[
        list[Path] | None, typer.Option("--access-log", help="An Envoy's access log, in which gaps are sought.")
    ] = None,
    written: Annotated[ReportFormat, typer.Option("--format", help="How it is written.")] = ReportFormat.HTML,
    out: Annotated[Path | None, typer.Option("--out", help="The file to write; else it is printed.")] = None,
) -> None:
    """Report on a tenant from the records: calls, who approved what, limits exceeded, revisions, gaps, proofs and keys.

    The logs are proven first. Exits with 0 when all are intact and no gap was found, 1 when not (the report says it,
    too), 2 when it could not be made.

    Example: aegis report --tenant acme/emea --from 2026-11-01 --to 2026-12-01 --out november.html
    """
    from aegis_authz.cli.report_text import report_csv, report_html, report_json
    from aegis_authz.commands.backtest import Period
    from aegis_authz.commands.compliance import ReportSources, compliance_report

    if tenant.count("/") != 1 or not all(tenant.split("/")):
        raise unusable("report", "--tenant is org/tenant")
    period = Period(since_option(begin, "--from"), since_option(end, "--to") or math.inf)
    with exits_on_faults("report"):
        sources = ReportSources(records_folder(records, state), state or DEFAULT_STATE, tuple(logs or ()))
        made = compliance_report(sources, tenant, period)
        writers = {ReportFormat.HTML: report_html, ReportFormat.JSON: report_json, ReportFormat.CSV: report_csv}
        text = writers[written](made)
        if out is None:
            typer.echo(text, nl=False)
        else:
            out.write_text(text, encoding="utf-8")
    if not made.is_sound:
        typer.echo("aegis report: a log is not proven, or there are gaps: see Gaps and Proofs", err=True)
        raise typer.Exit(REFUSED)
