"""`aegis policy simulate`: many calls decided under a draft, and what that changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.policy.call_files import problems_told, read_calls
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

COMMAND = "policy simulate"


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """Which calls are to be decided, under which documents."""

    source: str
    policies: Path
    tools: Path
    against: Path | None
    counts: bool
    show_all: bool
    as_json: bool


def simulate(
    calls: Annotated[str, typer.Argument(help="A file of calls: one, a list, or JSON lines; - for standard input.")],
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Show only what these policies decide differently, as it is now.")
    ] = None,
    fail_on_change: Annotated[
        bool, typer.Option("--fail-on-change", help="With --against: exit with 1 when a call is decided differently.")
    ] = False,
    counts: Annotated[
        bool, typer.Option("--limits", help="Count limits and breakers, each call at its time (context: {time: ...}).")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every call and not the first ones alone.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, always with every call.")] = False,
) -> None:
    """Decide calls under a draft, without a mesh. Exits with 2 when that cannot be done; then nothing was decided.

    With --against, the draft is held against the policies there: what is stricter under the draft, and what is milder.
    Without --limits each call is decided as if nothing had been used of any limit; how many meet one is said.

    Example: aegis policy simulate calls.jsonl --policies draft/agents --tools policies/tools --against policies/agents
    """
    if fail_on_change and against is None:
        raise unusable(COMMAND, "--fail-on-change needs --against, the policies as they are now")
    with exits_on_faults(COMMAND):
        folders = document_folders(COMMAND, policies, tools, state)
        changed = _simulate(SimulateOptions(calls, *folders, against, counts, show_all, as_json))
    if changed and fail_on_change:
        raise typer.Exit(REFUSED)


def _simulate(options: SimulateOptions) -> bool:
    """Whether a call is decided differently."""
    from aegis_authz.cli.policy.simulate_text import (
        comparison_json,
        show_comparison,
        show_simulation,
        simulation_json,
        uncounted_text,
    )
    from aegis_authz.commands.lab import bench_of, loaded_folders
    from aegis_authz.lab.call_sources import calls_of
    from aegis_authz.lab.simulation import flips, limited, simulated, simulated_under
    from aegis_authz.policy.source.problems import PolicyErrors

    try:
        loaded = loaded_folders(options.policies, options.tools)
        earlier = None if options.against is None else loaded_folders(options.against, options.tools)
        calls = calls_of(*read_calls(COMMAND, options.source), loaded)
    except PolicyErrors as errors:
        raise problems_told(errors, options.as_json) from None
    with bench_of(loaded, plays_sequences=options.counts) as bench:
        after = simulated(bench, calls, options.counts)
        before = [] if earlier is None else simulated_under(bench, earlier.compiled, calls, options.counts)
    changes = [] if earlier is None else flips(before, after)
    uncounted = 0 if options.counts else max(limited(before), limited(after))
    if options.as_json:
        is_alone = earlier is None
        typer.echo(
            simulation_json(after, uncounted) if is_alone else comparison_json(before, after, changes, uncounted)
        )
        return bool(changes)
    if earlier is None:
        show_simulation(after, options.show_all)
    else:
        show_comparison(before, after, changes, options.show_all)
    if uncounted:
        typer.echo(uncounted_text(uncounted))
    return bool(changes)
