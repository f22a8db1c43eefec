"""`aegis policy mutate`: does any test notice when a policy is slightly wrong?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

if TYPE_CHECKING:
    from collections.abc import Callable

COMMAND = "policy mutate"


def mutate(
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="Try at most this many, spread evenly.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change the policies one small thing at a time and run their tests. Exits with 1 when no test notices a change.

    Example: aegis policy mutate --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.policy.mutate_text import survivors_json, survivors_text
    from aegis_authz.cli.policy.test_text import failure_line
    from aegis_authz.cli.policy.text import problems_json
    from aegis_authz.commands.lab import trial_bench
    from aegis_authz.lab.mutants import mutants_of, spread, survivors
    from aegis_authz.lab.trial import tried
    from aegis_authz.policy.source.problems import PolicyErrors

    with exits_on_faults(COMMAND):
        folders = document_folders(COMMAND, policies, tools, state)
        try:
            with trial_bench(*folders) as ready:
                if not ready.cases:
                    raise _refused(f"no tests found: no file below {folders[0]} has a name that ends in _test.yaml")
                failing = [outcome for outcome in tried(ready.bench, ready.cases) if not outcome.passed]
                if failing:
                    typer.echo("\n".join(map(failure_line, failing)), err=True)
                    raise _refused(f"{len(failing)} tests fail as the policies are; make them pass first")
                mutants = mutants_of(ready.bench.loaded.loaded_policies)
                sample = spread(mutants.distinct, most or len(mutants.distinct))
                with _progress(len(sample)) as advance:
                    left = survivors(ready.bench, ready.cases, sample, advance)
        except PolicyErrors as errors:
            if not as_json:
                raise
            typer.echo(problems_json(errors.problems))
            raise typer.Exit(REFUSED) from None
    report_of = survivors_json if as_json else survivors_text
    typer.echo(report_of(mutants, len(sample), left))
    if left:
        raise typer.Exit(REFUSED)


def _refused(message: str) -> typer.Exit:
    typer.echo(f"aegis {COMMAND}: {message}", err=True)
    return typer.Exit(REFUSED)


@contextmanager
def _progress(whole: int) -> Iterator[Callable[[], None]]:
    """A bar on the terminal's stderr; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("mutants", total=whole)
        yield lambda: progress.advance(task)
