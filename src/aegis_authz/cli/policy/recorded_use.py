"""`aegis policy shadow-report` and `aegis policy unused`: what recorded calls tell about documents."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, records_folder, since_option
from aegis_authz.cli.policy.backtest import RecordsProgress
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

Records = Annotated[
    Path | None, typer.Option("--records", help="The folder of records.", show_default="that of the mesh")
]
Since = Annotated[str, typer.Option("--since", help="Calls from then on: 30d, 2026-11-29.")]


def shadow_report(
    records: Records = None,
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    since: Since = "",
    show_all: Annotated[bool, typer.Option("--all", help="Show every call and not the first of each rule.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which recorded calls shadow documents would have decided more strictly, by the rule that would have.

    Which rule it is say the documents that are there now; of calls of which the record does not hold all parameters it
    is not known, and said so.

    Example: aegis policy shadow-report --dir DIR --since 7d
    """
    from aegis_authz.cli.policy.recorded_use_text import shadow_json, shadow_lines
    from aegis_authz.commands import recorded_use
    from aegis_authz.commands.lab import loaded_folders

    moment = since_option(since)
    with exits_on_faults("policy shadow-report"):
        loaded = loaded_folders(*document_folders("policy shadow-report", policies, tools, state))
        progress = RecordsProgress(time.monotonic())
        report = recorded_use.shadow_report(records_folder(records, state), loaded, moment, progress)
    typer.echo(shadow_json(report) if as_json else "\n".join(shadow_lines(report, show_all)))


def unused(
    records: Records = None,
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    since: Since = "30d",
    as_json: AsJson = False,
) -> None:
    """Show which rights no recorded call has used: actions that an agent may call, and did not since then.

    A call that was held for a person counts as a use, one that was refused does not. Agents are those that documents
    name, and those that have called.

    Example: aegis policy unused --dir DIR --since 90d
    """
    from aegis_authz.cli.policy.recorded_use_text import unused_json, unused_lines
    from aegis_authz.commands import recorded_use
    from aegis_authz.commands.lab import loaded_folders

    moment = since_option(since)
    with exits_on_faults("policy unused"):
        loaded = loaded_folders(*document_folders("policy unused", policies, tools, state))
        report, book = recorded_use.rights_report(records_folder(records, state), loaded, moment)
    if as_json:
        typer.echo(unused_json(report, book))
        return
    for line in unused_lines(report, book):
        typer.echo(line)
