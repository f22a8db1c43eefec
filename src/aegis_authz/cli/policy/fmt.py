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
    from aegis_authz.commands.formatting import Layout


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
        found = layouts(paths or [Path()])
        changing = [one for one in found if one.changes]
        for layout in () if only_look else changing:
            write(layout)
    except OSError as fault:
        raise unusable("policy fmt", str(fault)) from None
    if as_json:
        typer.echo(_as_json(found, written=not only_look, diff=diff))
    else:
        _tell(found, only_look, diff)
    if any(one.problems for one in found) or (only_look and changing):
        raise typer.Exit(REFUSED)


def _tell(found: list[Layout], only_look: bool, diff: bool) -> None:
    for layout in found:
        for problem in layout.problems:
            typer.echo(str(problem), err=True)
        if layout.changes:
            typer.echo(
                _difference(layout) if diff else f"{'would change' if only_look else 'rewritten'}: {layout.path}"
            )
    changing = sum(one.changes for one in found)
    unread = sum(bool(one.problems) for one in found)
    told = f"{changing} {'would change' if only_look else 'rewritten'}, {len(found) - changing - unread} in order"
    typer.echo(f"{told}, {unread} left alone" if unread else told, err=diff)


def _as_json(found: list[Layout], written: bool, diff: bool) -> str:
    changing = [one for one in found if one.changes]
    said: dict[str, object] = {
        "written": written,
        "changed": [str(one.path) for one in changing],
        "in_order": [str(one.path) for one in found if not one.changes and not one.problems],
        "problems": [asdict(problem) for one in found for problem in one.problems],
    }
    if diff:
        said["diffs"] = {str(one.path): _difference(one) for one in changing}
    return json.dumps(said, indent=2)


def _difference(layout: Layout) -> str:
    before, after = layout.before.splitlines(), layout.after.splitlines()
    lines = list(difflib.unified_diff(before, after, f"{layout.path}", f"{layout.path} (formatted)", lineterm=""))
    return "\n".join(lines) or f"{layout.path}: line breaks"
