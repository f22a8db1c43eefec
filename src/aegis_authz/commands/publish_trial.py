"""A publication tried on recorded calls before it is sent: what would be decided more mildly has to be accepted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz.commands.backtest import Period, Progress, backtest
from aegis_authz.commands.faults import Rejected
from aegis_authz.commands.lab import loaded_folders
from aegis_authz.lab.backtest import BacktestReport
from aegis_authz.policy.source.problems import printable


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
    milder = [flip for flip in report.flips if flip.direction == "milder"]
    if milder and not trial.accept:
        first = milder[0]
        words = f"{first.record.tool or first.record.host} {first.record.action}".strip()
        raise Rejected(
            f"{_of(len(milder), report)} would be decided more mildly, the first of them {printable(words)} "
            f"({first.before.value} -> {first.after.effect.value}, by {printable(', '.join(first.rules))}), and "
            "nothing is published. aegis policy backtest shows them; --accept REASON publishes all the same"
        )
    if not milder:
        return f"(tried on {report.judged} recorded calls{_rest(report)}: none is decided more mildly)"
    return f"({_of(len(milder), report)} are decided more mildly{_rest(report)}; accepted: {trial.accept})"


def _rest(report: BacktestReport) -> str:
    """What else became of the records: what passes as before may do so with less redacted."""
    counts = (
        (sum(flip.direction == "other" for flip in report.flips), "let through on other terms"),
        (report.not_judged.total(), "not judged"),
        (report.unreadable, "unreadable"),
    )
    return "".join(f", {count} {words}" for count, words in counts if count)


def _of(count: int, report: BacktestReport) -> str:
    return f"{count} of {report.judged} recorded calls"
