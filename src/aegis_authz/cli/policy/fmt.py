"""`aegis policy fmt`: documents, catalogues and tests in one layout."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import AsJson

if TYPE_CHECKING:
    from aegis_authz.commands.formatting import FileLayout


def fmt(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files, or folders with all that is below them; default: this folder.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; list the files that would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; show what would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring policies, tool catalogues and tests into one layout; what they say and every comment stays.

    Exits with 1 when a file cannot be read, and with --check or --diff also when one would change.

    Example: aegis policy fmt policies --check
    """
    from aegis_authz.commands.formatting import layouts, write

    only_look = check or diff
    try:
        results = layouts(paths or [Path()])
        changing = [layout for layout in results if layout.changes]
        for layout in () if only_look else changing:
            write(layout)
    except OSError as fault:
        raise unusable("policy fmt", str(fault)) from None
    if as_json:
        typer.echo(_as_json(results, is_written=not only_look, diff=diff))
    else:
        _tell(results, only_look, diff)
    if any(layout.problems for layout in results) or (only_look and changing):
        raise typer.Exit(REFUSED)


def _tell(results: list[FileLayout], only_look: bool, diff: bool) -> None:
    for layout in results:
        for problem in layout.problems:
            typer.echo(str(problem), err=True)
        if layout.changes:
            typer.echo(
                _difference(layout) if diff else f"{'would change' if only_look else 'rewritten'}: {layout.path}"
            )
    changing = sum(layout.changes for layout in results)
    unread = sum(bool(layout.problems) for layout in results)
    summary = f"{changing} {'would change' if only_look else 'rewritten'}, {len(results) - changing - unread} in order"
    typer.echo(f"{summary}, {unread} left alone" if unread else summary, err=diff)


def _as_json(results: list[FileLayout], is_written: bool, diff: bool) -> str:
    changing = [layout for layout in results if layout.changes]
    report: dict[str, object] = {
        "written": is_written,
        "changed": [str(layout.path) for layout in changing],
        "in_order": [str(layout.path) for layout in results if not layout.changes and not layout.problems],
        "problems": [asdict(problem) for layout in results for problem in layout.problems],
    }
    if diff:
        report["diffs"] = {str(layout.path): _difference(layout) for layout in changing}
    return json.dumps(report, indent=2)


def _difference(layout: FileLayout) -> str:
    before, after = layout.before.splitlines(), layout.after.splitlines()
    lines = list(difflib.unified_diff(before, after, f"{layout.path}", f"{layout.path} (formatted)", lineterm=""))
    return "\n".join(lines) or f"{layout.path}: line breaks"
