"""How a command of an operator ends when it cannot do what it was asked to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

REFUSED = 1
"""Exit code: asked, and the answer was no."""

UNABLE = 2
"""Exit code: could not ask at all."""


@contextmanager
def told(command: str) -> Iterator[None]:
    """Turn the faults of `bootstrap.admin` and of the lab inside the block into a sentence on stderr and an exit code."""
    from aegis_authz.commands.admin import ADMIN_FAULTS, ControlRefused, PolicyErrors
    from aegis_authz.commands.lab import LAB_FAULTS

    try:
        yield
    except PolicyErrors as errors:
        for problem in errors.problems:
            typer.echo(str(problem), err=True)
        raise typer.Exit(REFUSED) from None
    except ControlRefused as refused:
        typer.echo(f"aegis {command}: {refused}", err=True)
        raise typer.Exit(REFUSED) from None
    except (*ADMIN_FAULTS, *LAB_FAULTS) as fault:
        typer.echo(f"aegis {command}: {fault}", err=True)
        raise typer.Exit(UNABLE) from None


def unusable(command: str, message: str) -> typer.Exit:
    """Say what is wrong with the command line; the caller raises what this returns."""
    typer.echo(f"aegis {command}: {message}", err=True)
    return typer.Exit(UNABLE)
