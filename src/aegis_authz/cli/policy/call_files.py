"""Files of calls that commands are given, and how commands end when calls or documents are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from aegis_authz.cli.exit_codes import UNABLE
from aegis_authz.cli.faults import unusable

if TYPE_CHECKING:
    from aegis_authz.policy.source.problems import PolicyErrors

_STANDARD_INPUT = "-"


def read_calls(command: str, source: str) -> tuple[str, str]:
    """The name of a file of calls and its text; `-` is standard input. Raises typer.Exit, OSError."""
    if source == _STANDARD_INPUT:
        name, data = "standard input", typer.get_binary_stream("stdin").read()
    else:
        name, data = source, Path(source).read_bytes()
    try:
        return name, data.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise unusable(command, f"{name}: not UTF-8 at byte {fault.start}") from None


def problems_told(errors: PolicyErrors, as_json: bool) -> typer.Exit:
    """Tell what is wrong with documents or calls; the caller raises what this returns: nothing could be asked."""
    from aegis_authz.cli.policy.text import problems_json

    if as_json:
        typer.echo(problems_json(errors.problems))
    for problem in errors.problems if not as_json else ():
        typer.echo(str(problem), err=True)
    return typer.Exit(UNABLE)
