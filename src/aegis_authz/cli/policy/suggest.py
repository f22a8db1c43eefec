"""`aegis policy suggest`: the smallest policy that covers what was recorded."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, records_folder, since_option
from aegis_authz.cli.policy.backtest import RecordsProgress
from aegis_authz.cli.policy.document_folders import OptionalMesh, Tools, document_folders
from aegis_authz.cli.policy.recorded_use import Records, Since

if TYPE_CHECKING:
    from aegis_authz.commands.suggesting import TriedSuggestion

COMMAND = "policy suggest"


def suggest(
    records: Records = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    since: Since = "",
    agent: Annotated[str, typer.Option("--agent", help="This agent alone: its name, or org/tenant/agent.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the documents into this folder, empty so far.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Suggest the smallest policy that covers the recorded calls that passed, and try it on them.

    For each agent the actions it called, numbers as a range, texts as a list, nothing that was not seen beyond that;
    each parameter stands by itself. Exits with 1 where a call that was refused or held lies within what was seen, so
    that the suggestion would let it pass. It has no limits, no conditions on the context, and asks for no approvals.

    Example: aegis policy suggest --records DIR/records --tools policies/tools --out suggested
    """
    from aegis_authz.commands.backtest import Period
    from aegis_authz.commands.suggesting import suggest as suggested
    from aegis_authz.commands.suggesting import write_documents

    period = Period(since_option(since), math.inf)
    with exits_on_faults(COMMAND):
        # of the two folders only that of the tools is read
        catalogue = tools if tools is not None else document_folders(COMMAND, None, None, state)[1]
        progress = RecordsProgress(time.monotonic())
        tried = suggested(records_folder(records, state), catalogue, agent, period, datetime.now(UTC), progress)
        if out is not None:
            write_documents(out, tried.suggestion.documents)
    if as_json:
        typer.echo(_json(tried))
    else:
        if out is None:
            typer.echo("---\n".join(tried.suggestion.documents.values()))
        for line in _summary(tried):
            typer.echo(line, err=out is None)  # what is printed can be a file of policies
    if _milder(tried):
        raise typer.Exit(REFUSED)


def _milder(tried: TriedSuggestion) -> int:
    return _flips(tried, "milder")


def _flips(tried: TriedSuggestion, direction: str) -> int:
    return sum(flip.direction == direction for flip in tried.report.flips)


def _summary(tried: TriedSuggestion) -> Iterator[str]:
    from aegis_authz.cli.policy.backtest_text import amount_text
    from aegis_authz.policy.source.problems import printable

    suggestion = tried.suggestion
    documents, calls = amount_text(len(suggestion.documents), "document"), amount_text(suggestion.covered, "call")
    yield f"{documents}: {calls} covered, lint finds {len(tried.findings) or 'nothing'}"
    for finding in tried.findings:
        yield f"  {finding.problem.path}:{finding.problem.line}: {finding.problem.message}"
    for row in suggestion.left_out:
        calls = f"{amount_text(row.calls, 'call')} of {row.agent}, {row.tool} {printable(row.action)}"
        yield f"not covered: {calls}: {row.why}"
    if milder := _milder(tried):
        yield f"{amount_text(milder, 'call')} that did not pass so would: aegis policy backtest shows them"


def _json(tried: TriedSuggestion) -> str:
    suggestion = tried.suggestion
    data = {
        "documents": dict(suggestion.documents),
        "covered": suggestion.covered,
        "left_out": [
            {"agent": row.agent, "tool": row.tool, "action": row.action, "calls": row.calls, "why": row.why}
            for row in suggestion.left_out
        ],
        "findings": [str(finding.problem) for finding in tried.findings],
        "milder": _milder(tried),
        "stricter": _flips(tried, "stricter"),
    }
    return json.dumps(data, indent=2)
