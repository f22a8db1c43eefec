"""`aegis policy test`: the tests beside the policies, judged by a real OPA."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import AsJson
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders
from aegis_authz.cli.watching import each_change

if TYPE_CHECKING:
    from aegis_authz.lab.coverage import Coverage
    from aegis_authz.lab.identity_trial import IdentityResult
    from aegis_authz.lab.trial import CaseResult

COMMAND = "policy test"
_LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What one run is to do."""

    policies: Path
    tools: Path
    coverage: bool
    coverage_min: float | None
    junit: Path | None
    as_json: bool
    only: str


def test(
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    coverage: Annotated[bool, typer.Option("--coverage", help="Show rules and conditions no test tries.")] = False,
    coverage_min: Annotated[
        float | None, typer.Option("--coverage-min", min=0, max=100, help="Fail below this many percent.")
    ] = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write the outcomes as JUnit XML.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Run again whenever a document changes.")] = False,
    as_json: AsJson = False,
    only: Annotated[str, typer.Option("--only", help="Only tests whose names contain this text.")] = "",
) -> None:
    """Run the tests beside the policies (*_test.yaml). Exits with 1 when any fails, 2 when they cannot be run.

    Example: aegis policy test --policies policies/agents --tools policies/tools --coverage
    """
    with exits_on_faults(COMMAND):
        folders = document_folders(COMMAND, policies, tools, state)
    if watch and as_json:
        raise unusable(COMMAND, "--watch is for people; leave out --json")
    with_coverage = coverage or coverage_min is not None
    options = RunOptions(*folders, with_coverage, coverage_min, junit, as_json, only)
    if watch:
        run_on_changes(options, lambda: time.sleep(_LOOK_EVERY))
    elif code := run(options):
        raise typer.Exit(code)


def run_on_changes(options: RunOptions, wait: Callable[[], None]) -> None:
    """Run at once and after each change of the folders, until Ctrl-C; `wait` is called between looks."""
    from rich.console import Console

    try:
        for _ in each_change((options.policies, options.tools), wait):
            Console().clear()  # nothing where there is no terminal
            run(options)
            typer.echo("waiting for changes; Ctrl-C ends")
    except KeyboardInterrupt:
        typer.echo()


def run(options: RunOptions) -> int:
    """One run, told. Returns the exit code."""
    try:
        with exits_on_faults(COMMAND):
            return _run(options)
    except typer.Exit as ended:
        return ended.exit_code


def _run(options: RunOptions) -> int:
    from aegis_authz.cli.policy.text import problems_json
    from aegis_authz.commands.lab import trial_bench
    from aegis_authz.lab.junit import junit_of_problems
    from aegis_authz.lab.trial_report import trial_report
    from aegis_authz.policy.source.problems import PolicyErrors

    try:
        with trial_bench(options.policies, options.tools) as ready:
            cases = [case for case in ready.cases if options.only in case.name]
            identity_cases = [case for case in ready.identity_cases if options.only in case.name]
            if not cases and not identity_cases:
                return _nothing(options, len(ready.cases) + len(ready.identity_cases))
            report = trial_report(ready.bench, cases, identity_cases, covers=options.coverage)
    except PolicyErrors as errors:
        if options.junit is not None:
            options.junit.write_bytes(junit_of_problems(errors.problems))
        if not options.as_json:
            raise
        typer.echo(problems_json(errors.problems))
        return REFUSED
    return _tell(options, report.outcomes, report.covered if options.coverage else None)


def _nothing(options: RunOptions, others: int) -> int:
    if others:
        message = f"no test's name contains {options.only!r}; there are {others} others"
    else:
        message = f"no tests found: no file below {options.policies} has a name that ends in _test.yaml"
    typer.echo(f"aegis {COMMAND}: {message}", err=True)
    return REFUSED


def _tell(
    options: RunOptions, outcomes: Sequence[CaseResult | IdentityResult], covered: Sequence[Coverage] | None
) -> int:
    from aegis_authz.cli.policy.test_text import failure_line, outcomes_json, outcomes_text, show_coverage
    from aegis_authz.lab.coverage import percent_of
    from aegis_authz.lab.junit import junit_of_outcomes

    if options.junit is not None:
        options.junit.write_bytes(junit_of_outcomes([(outcome, failure_line(outcome)) for outcome in outcomes]))
    if options.as_json:
        typer.echo(outcomes_json(outcomes, covered))
    else:
        typer.echo(outcomes_text(outcomes))
        if covered is not None:
            show_coverage(covered)
    code = 0 if all(outcome.passed for outcome in outcomes) else REFUSED
    if covered is not None and options.coverage_min is not None and percent_of(covered) < options.coverage_min:
        reached = int(percent_of(covered) * 10) / 10
        typer.echo(f"aegis {COMMAND}: {reached}% are covered, less than {options.coverage_min:g}%", err=True)
        code = REFUSED
    return code
