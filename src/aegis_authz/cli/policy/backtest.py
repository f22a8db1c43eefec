"""`aegis policy backtest`: recorded calls decided again under a candidate."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, OpenedWith, since_option
from aegis_authz.cli.policy.call_files import problems_told
from aegis_authz.cli.policy.document_folders import OptionalMesh, Tools, candidate_folders

if TYPE_CHECKING:
    from aegis_authz.commands.publish_trial import PublishTrial
    from aegis_authz.lab.backtest import BacktestReport

COMMAND = "policy backtest"
_PATIENCE = 5.0
"""Seconds between two words about how far it is."""


class FailOn(Enum):
    """At what the command exits with 1."""

    ANY = "any"
    MILDER = "milder"
    NEVER = "never"

    def fails(self, report: BacktestReport) -> bool:
        """Whether a call of the report is such a flip."""
        directions = ("milder",) if self is FailOn.MILDER else ("milder", "stricter", "other")
        return self is not FailOn.NEVER and any(flip.direction in directions for flip in report.flips)


@dataclass(slots=True)
class RecordsProgress:
    """Says on standard error how far long work is."""

    last: float

    def __call__(self, records: int) -> None:
        now = time.monotonic()
        if now - self.last >= _PATIENCE:
            self.last = now
            typer.echo(f"{records:,} records are done", err=True)


def publish_trial(records: Path, since: str, accept: str) -> PublishTrial | None:
    """On what a publication is tried; None where nothing is. Raises typer.Exit, typer.BadParameter."""
    from aegis_authz.commands.backtest import Period
    from aegis_authz.commands.publish_trial import PublishTrial

    if not since:
        return None
    period = Period(since_option(since, "--backtest"), math.inf)
    return PublishTrial(records, period, accept, RecordsProgress(time.monotonic()))


def backtest(
    records: Annotated[Path, typer.Option("--records", help="The folder of records, such as DIR/records.")],
    candidate: Annotated[
        Path, typer.Option("--candidate", help="Policies to try: their folder, or one that holds agents/ (and tools/).")
    ],
    tools: Tools = None,
    state: OptionalMesh = None,
    since: Annotated[
        str, typer.Option("--since", help="Compare calls from then on; earlier ones use limits alone: 1d, 2026-11-29.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Compare calls before then: 1h, 2026-11-30T13:00Z.")] = "",
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 when a call is decided so otherwise.")
    ] = FailOn.ANY,
    open_with: OpenedWith = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every call and not the first of each rule.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide recorded calls again under a candidate, at their times, and show which are decided otherwise.

    Needs no mesh. Limits are counted from the first record on. What no record holds is never guessed: calls that cannot
    be judged again are counted by why. Exits with 0 when no call is decided otherwise, 1 when one is, 2 when it could
    not be tried. It reads without verifying: aegis audit verify first.

    Example: aegis policy backtest --records .aegis/records --candidate draft --since 7d
    """
    from aegis_authz.cli.policy.backtest_text import backtest_json, show_backtest
    from aegis_authz.commands import backtest as command
    from aegis_authz.commands.lab import loaded_folders
    from aegis_authz.policy.source.problems import PolicyErrors

    period = command.Period(since_option(since), since_option(until, "--until") or math.inf)
    with exits_on_faults(COMMAND):
        folders = candidate_folders(COMMAND, candidate, tools, state)
        try:
            loaded = loaded_folders(*folders)
        except PolicyErrors as errors:
            raise problems_told(errors, as_json) from None
        progress = RecordsProgress(time.monotonic())
        report = command.backtest(records, loaded, period, progress, open_with or ())
    if as_json:
        typer.echo(backtest_json(report))
    else:
        show_backtest(report, show_all)
    if fail_on.fails(report):
        raise typer.Exit(REFUSED)
