"""`aegis policy explain`: every rule and condition that a call met, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, AsJson
from aegis_authz.cli.policy.call_files import problems_told, read_calls
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders
from aegis_authz.core.circumstances import CIRCUMSTANCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aegis_authz.api.limits import LimitAnswer
    from aegis_authz.cli.policy.call_flags import CallFlags
    from aegis_authz.cli.policy.explain_text import AgainstRecord
    from aegis_authz.commands.recorded_calls import FoundRecord
    from aegis_authz.lab.calls import TriedCall
    from aegis_authz.lab.explanation import Explanation
    from aegis_authz.policy.load import Loaded

COMMAND = "policy explain"
_NAMES = [
    f"{word} (a,b)" if circumstance.json_type == "array" else word for word, circumstance in CIRCUMSTANCES.items()
]
_CIRCUMSTANCES = f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}."


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """Which call is to be explained, under which documents."""

    source: str
    record: str
    flags: CallFlags
    policies: Path
    tools: Path
    state: Path | None
    as_json: bool


def explain(
    call: Annotated[
        str, typer.Argument(help="A file with the call, as tests write it; - for standard input.", show_default=False)
    ] = "",
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    record: Annotated[
        str, typer.Option("--record", help="Explain this decision of the mesh of --dir (default: .aegis) again.")
    ] = "",
    agent: Annotated[str, typer.Option("--agent", help="ORG/TENANT/AGENT.")] = "",
    tool: Annotated[str, typer.Option("--tool", help="A tool of the catalogue.")] = "",
    action: Annotated[str, typer.Option("--action", help="An action of the tool.")] = "",
    host: Annotated[str, typer.Option("--host", help="Instead of a tool: a host that no tool claims.")] = "",
    method: Annotated[str, typer.Option("--method", help="With --host: the HTTP method; default: POST.")] = "",
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter: JSON, else a text.")
    ] = None,
    param_text: Annotated[
        list[str] | None, typer.Option("--param-text", metavar="NAME=VALUE", help="A parameter that is a text.")
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option(
            "--context",
            metavar="NAME=VALUE",
            help=_CIRCUMSTANCES,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show why a call is decided as it is. Exits with 0 whatever the decision, 2 when it cannot be explained.

    The call is that of a file or of --record, with what options say instead; or that of options alone.

    Example: aegis policy explain --agent acme/emea/finance-agent --tool stripe-payments --action create_payment
    --param amount=7000 --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.policy.call_flags import CallFlags

    flags = CallFlags(agent, tool, action, host, method, param or [], param_text or [], context or [])
    if call and record:
        raise unusable(COMMAND, "give a call or --record, not both")
    if record and state is None:
        state = DEFAULT_STATE
    if record and flags.names_call:
        raise unusable(COMMAND, "with --record only --param, --param-text and --context can be given")
    if not call and not record and flags.is_empty:
        raise unusable(COMMAND, "name a file with the call, or give --agent, --tool and --action, or --record")
    with exits_on_faults(COMMAND):
        folders = document_folders(COMMAND, policies, tools, state)
        _explain(ExplainOptions(call, record, flags, *folders, state, as_json))


def _explain(options: ExplainOptions) -> None:
    from aegis_authz.cli.policy.call_flags import FlagsInvalid
    from aegis_authz.cli.policy.explain_text import ExplanationReport, explanation_json, show_explanation
    from aegis_authz.commands.lab import bench_of, loaded_folders
    from aegis_authz.lab.explanation import explanation_of
    from aegis_authz.lab.explanation_notes import of_body, sentences
    from aegis_authz.policy.source.problems import PolicyErrors

    try:
        loaded = loaded_folders(options.policies, options.tools)
        call, entry = _call(options, loaded)
    except PolicyErrors as errors:
        raise problems_told(errors, options.as_json) from None
    except FlagsInvalid as fault:
        raise unusable(COMMAND, str(fault)) from None
    with bench_of(loaded) as bench:
        [raw] = bench.explain([call], None if entry is None else entry.kind)
    explanation = explanation_of(call, raw, loaded.loaded_policies)
    against = None if entry is None else _against_record(options, entry, explanation, loaded)
    accounts, unknown = _accounts(options, explanation, entry)
    notes = (*sentences(explanation, loaded.loaded_policies), *of_body(call, loaded.known_tools), *unknown)
    report = ExplanationReport(explanation, notes, against, accounts)
    if options.as_json:
        typer.echo(explanation_json(report))
    else:
        show_explanation(report)


def _accounts(
    options: ExplainOptions, explanation: Explanation, entry: FoundRecord | None
) -> tuple[Mapping[str, LimitAnswer], tuple[str, ...]]:
    """How the limits stood that the recorded call met, or stand in the mesh of --dir; and why that is not known."""
    from aegis_authz.api.limits import LimitAnswer
    from aegis_authz.commands.faults import CommandFault
    from aegis_authz.commands.limits import limits_of
    from aegis_authz.core.scope import Scope

    if entry is not None:
        return {charge.limit: LimitAnswer.of_record(charge) for charge in entry.record.charges}, ()
    if options.state is None or not explanation.limits:
        return {}, ()
    try:
        answer = limits_of(options.state, Scope.parse(explanation.call.agent))
    except (CommandFault, OSError) as fault:
        return {}, (f"what is used of limits is not known: {fault}",)
    return {limit.id: limit for limit in answer.limits}, ()


def _call(options: ExplainOptions, loaded: Loaded) -> tuple[TriedCall, FoundRecord | None]:
    from aegis_authz.cli.policy.call_flags import call_of_flags
    from aegis_authz.commands.recorded_calls import found_record
    from aegis_authz.lab.call_sources import one_call

    if options.record and options.state is not None:
        entry = found_record(options.state, options.record, loaded)
        return call_of_flags(options.flags, loaded, entry.call), entry
    if options.source:
        file_call = one_call(*read_calls(COMMAND, options.source), loaded).call
        return (file_call if options.flags.is_empty else call_of_flags(options.flags, loaded, file_call)), None
    return call_of_flags(options.flags, loaded), None


def _against_record(
    options: ExplainOptions, entry: FoundRecord, explanation: Explanation, loaded: Loaded
) -> AgainstRecord:
    from aegis_authz.cli.policy.explain_text import AgainstRecord
    from aegis_authz.commands.recorded_calls import revision_here
    from aegis_authz.lab.record_comparison import difference, not_recorded

    revision = "" if options.state is None else revision_here(options.policies, options.tools, options.state)
    return AgainstRecord(
        record=entry.record,
        file=entry.file,
        line=entry.line,
        not_recorded=not_recorded(entry.record, explanation, loaded),
        difference=difference(entry.record, explanation),
        revision_here=revision,
    )
