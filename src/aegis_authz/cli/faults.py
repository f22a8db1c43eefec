"""How a command of an operator ends when it cannot do what it was asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from aegis_authz.cli.exit_codes import REFUSED, UNABLE


@contextmanager
def exits_on_faults(command: str) -> Iterator[None]:
    """Turn the faults of commands inside the block into a sentence on stderr and an exit code of the table."""
    from aegis_authz.commands.faults import CommandFault, Rejected
    from aegis_authz.policy.source.problems import PolicyErrors

    try:
        yield
    except PolicyErrors as errors:
        for problem in errors.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(REFUSED) from None
    except (CommandFault, OSError) as fault:
        typer.echo(f"aegis {command}: {fault}", err=True)
        raise typer.Exit(REFUSED if isinstance(fault, Rejected) else UNABLE) from None


def unusable(command: str, message: str) -> typer.Exit:
    """Say what is wrong with the command line; the caller raises what this returns."""
    typer.echo(f"aegis {command}: {message}", err=True)
    return typer.Exit(UNABLE)
