"""`aegis policy diff`: what two published revisions differ in, and which calls they decide differently."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState
from aegis_authz.cli.policy.call_files import problems_told, read_calls

if TYPE_CHECKING:
    from aegis_authz.core.release import Sources
    from aegis_authz.policy.release_changes import ReleaseChange

COMMAND = "policy diff"


def diff(
    before: Annotated[str, typer.Argument(help="A revision of the history (aegis policy status).")],
    after: Annotated[str, typer.Argument(help="Another one; what is served now where none is named.")] = "",
    state: MeshState = DEFAULT_STATE,
    calls: Annotated[
        str, typer.Option("--calls", help="A file of calls: show those that the two decide differently.")
    ] = "",
    witnesses: Annotated[
        bool,
        typer.Option("--witnesses", help="Try calls on and beside every bound of the two, and show what differs."),
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every such call and not the first ones alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what differs between two revisions: documents, rules, lines, and the effects of the calls of a file.

    With --witnesses OPA decides calls that lie on and beside the bounds of both, without a file: each that is shown is
    decided differently. Where none is, that is no proof that there is none.

    Example: aegis policy diff 4b34e9f4e3d6b7f97c4ec3c3 --calls calls.jsonl --dir DIR
    """
    from aegis_authz.cli.policy.text import change_lines
    from aegis_authz.commands.publishing import revisions_between
    from aegis_authz.core.release import DocumentChanges
    from aegis_authz.policy.text_changes import document_difference

    with exits_on_faults(COMMAND):
        former, own = revisions_between(state, before, after)
        changes = [
            ("policy", DocumentChanges.between(former.policies, own.policies)),
            ("tool", DocumentChanges.between(former.tools, own.tools)),
        ]
        if as_json:
            data: dict[str, object] = {
                kind: {"added": files.added, "changed": files.changed, "removed": files.removed}
                for kind, files in changes
            }
            data["rules"] = [asdict(change) for change in _rules(former, own)]
            if calls:
                data["calls"] = json.loads(_effects(former, own, calls, show_all=True, as_json=True))
            if witnesses:
                data["witnesses"] = json.loads(_effects(former, own, None, show_all=True, as_json=True))
            typer.echo(json.dumps(data, indent=2))
            return
        lines = [line for kind, files in changes for line in change_lines(kind, files)]
        lines += [_rule_line(change) for change in _rules(former, own)]
        lines += document_difference(former.policies, own.policies)
        lines += document_difference(former.tools, own.tools)
        typer.echo("\n".join(lines) if lines else "the documents are the same")
        if calls:
            _effects(former, own, calls, show_all=show_all, as_json=False)
        if witnesses:
            _effects(former, own, None, show_all=show_all, as_json=False)


def _rules(former: Sources, own: Sources) -> tuple[ReleaseChange, ...]:
    """What differs by the words of rules and tools; nothing where one of the two is not valid under today's rules."""
    from aegis_authz.policy.load import load
    from aegis_authz.policy.release_changes import release_changes
    from aegis_authz.policy.source.problems import PolicyErrors
    from aegis_authz.redact.detectors.table import DETECTORS

    try:
        before, after = (load(sources.policies, sources.tools, DETECTORS) for sources in (former, own))
    except PolicyErrors as errors:
        typer.echo(f"rules are not compared, for these documents are not valid today: {errors.problems[0]}", err=True)
        return ()
    return release_changes((former, before), (own, after))


def _rule_line(change: ReleaseChange) -> str:
    from aegis_authz.policy.source.problems import printable

    at = f": {change.at}" if change.at else ""
    return printable(f"{change.mark} {change.noun} {change.name}{at}: {change.sentence}")


def _effects(former: Sources, own: Sources, source: str | None, *, show_all: bool, as_json: bool) -> str:
    """Decide the calls of a file, or those on the bounds without one, under each; show what differs, or give JSON."""
    from aegis_authz.cli.policy.simulate_text import comparison_json, show_comparison, uncounted_text
    from aegis_authz.commands.lab import bench_of
    from aegis_authz.lab.call_sources import calls_of
    from aegis_authz.lab.simulation import flips, limited, simulated
    from aegis_authz.lab.witnesses import boundary_calls
    from aegis_authz.policy.load import load
    from aegis_authz.policy.source.problems import PolicyErrors
    from aegis_authz.redact.detectors.table import DETECTORS

    try:
        loaded = [load(sources.policies, sources.tools, DETECTORS) for sources in (former, own)]
        placed = boundary_calls(*loaded) if source is None else calls_of(*read_calls(COMMAND, source), loaded[1])
    except PolicyErrors as errors:
        raise problems_told(errors, as_json) from None
    with bench_of(loaded[0]) as bench:
        earlier = simulated(bench, placed)
    with bench_of(loaded[1]) as bench:
        later = simulated(bench, placed)
    changes, uncounted = flips(earlier, later), max(limited(earlier), limited(later))
    if as_json:
        return comparison_json(earlier, later, changes, uncounted)
    show_comparison(earlier, later, changes, show_all)
    if uncounted:
        typer.echo(uncounted_text(uncounted))
    return ""
