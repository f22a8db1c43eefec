"""Commands that go on: a round, a pause, the next round, until they are interrupted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Annotated, TypeVar

import typer

_LEAST_PAUSE = 10

Every = Annotated[int, typer.Option("--every", min=0, help="Again after so many seconds, until interrupted.")]

_ResultT = TypeVar("_ResultT")


def repeat(
    one_round: Callable[[], Iterable[_ResultT]],
    show: Callable[[_ResultT], None],
    every: int,
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Show what each round yields, `every` so many seconds, until Ctrl-C. What a round cannot do the next one may."""
    from aegis_authz.commands.faults import CommandFault

    try:
        while True:
            try:
                for result in one_round():
                    show(result)
            except CommandFault as fault:
                typer.echo(f"aegis audit: {fault}", err=True)
            wait(max(every, _LEAST_PAUSE))
    except KeyboardInterrupt:
        typer.echo(err=True)
