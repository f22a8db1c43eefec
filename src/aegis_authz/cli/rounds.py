"""Commands that do a round, or one after the other with a pause between them, until they are interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar

import typer

from aegis_authz.cli.faults import exits_on_faults

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_LEAST_PAUSE = 10

Every = Annotated[int, typer.Option("--every", min=0, help="Again after so many seconds, until interrupted.")]

_ResultT = TypeVar("_ResultT", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Rounds(Generic[_ResultT]):
    """What a round does, and how its results are shown: each in words as it comes, or all of them as a document.

    `nothing` is what a single round without results says, "" for nothing.
    """

    one_round: Callable[[], Iterable[_ResultT]]
    words: Callable[[_ResultT], str]
    document: Callable[[Sequence[dict[str, object]]], dict[str, object]]
    nothing: str = ""

    def run(self, every: int, *, as_json: bool, wait: Callable[[float], None] = time.sleep) -> list[_ResultT]:
        """Do a round, and return its results; with `every`, one after so many seconds until Ctrl-C, and return none.

        What a round cannot do the next one may; a single one exits. Raises typer.Exit.
        """
        if every:
            self._repeat(every, as_json, wait)
            return []
        results: list[_ResultT] = []
        with exits_on_faults("audit"):
            for result in self.one_round():
                results.append(result)
                if not as_json:
                    typer.echo(self.words(result))
        if as_json:
            typer.echo(json.dumps(self.document([asdict(result) for result in results]), indent=2))
        elif self.nothing and not results:
            typer.echo(self.nothing)
        return results

    def _repeat(self, every: int, as_json: bool, wait: Callable[[float], None]) -> None:
        from aegis_authz.commands.faults import CommandFault

        try:
            while True:
                try:
                    for result in self.one_round():
                        typer.echo(json.dumps(asdict(result)) if as_json else self.words(result))
                except CommandFault as fault:
                    typer.echo(f"aegis audit: {fault}", err=True)
                wait(max(every, _LEAST_PAUSE))
        except KeyboardInterrupt:
            typer.echo(err=True)
