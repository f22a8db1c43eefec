"""A publication tried on recorded calls before it is sent: what would be decided more mildly has to be accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz.commands.backtest import Period, Progress, backtest
from aegis_authz.commands.faults import Rejected
from aegis_authz.commands.lab import loaded_folders
from aegis_authz.lab.backtest import BacktestReport
from aegis_authz.lab.milder_calls import first_in_words, milder_calls, rest_in_words


@dataclass(frozen=True, slots=True)
class PublishTrial:
    """On which records documents are tried, and why what they decide more mildly is accepted, "" where it is not."""

    records: Path
    period: Period
    accept: str
    progress: Progress


def trial_note(trial: PublishTrial, policies: Path, tools: Path) -> str:
    """What the change log is to say of the trial.

    Raises Rejected where a call is decided more mildly and that is not accepted, PolicyErrors, Unable.
    """
    report = backtest(trial.records, loaded_folders(policies, tools), trial.period, trial.progress)
    milder = milder_calls(report)
    if milder and not trial.accept:
        raise Rejected(
            f"{_of(len(milder), report)} would be decided more mildly, the first of them {first_in_words(milder)}, and "
            "nothing is published. aegis policy backtest shows them; --accept REASON publishes all the same"
        )
    if not milder:
        return f"(tried on {report.judged} recorded calls{rest_in_words(report)}: none is decided more mildly)"
    return f"({_of(len(milder), report)} are decided more mildly{rest_in_words(report)}; accepted: {trial.accept})"


def _of(count: int, report: BacktestReport) -> str:
    return f"{count} of {report.judged} recorded calls"
