"""A policy suggested from recorded calls, linted and tried on the same calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.commands.backtest import Period, Progress, backtest, ordered_batches
from aegis_authz.commands.documents import from_here
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.lab.backtest import BacktestReport
from aegis_authz.lab.suggestion import Suggester, Suggestion
from aegis_authz.policy.lint.finding import Finding
from aegis_authz.policy.lint.run import linted
from aegis_authz.policy.load import load
from aegis_authz.redact.detectors.table import DETECTORS


@dataclass(frozen=True, slots=True)
class TriedSuggestion:
    """A suggestion, what lint says of it, and what becomes of the recorded calls under it."""

    suggestion: Suggestion
    findings: Sequence[Finding]
    report: BacktestReport


@unable_on(NoRecords, OSError)
def suggest(
    folder: Path, tools: Path, agent: str, period: Period, now: datetime, progress: Progress
) -> TriedSuggestion:
    """The smallest policy for these tools that covers what passed in the logs of `folder`, tried on the same logs.

    Raises PolicyErrors for the catalogue, Unable, also where nothing is covered.
    """
    catalogue = from_here(tools, read_sources(tools))
    suggester = Suggester(load({}, catalogue, DETECTORS).known_tools, agent, period.since)
    for batch in ordered_batches(folder):
        suggester.take(batch)
    suggestion = suggester.suggestion()
    if not suggestion.documents:
        raise Unable(f"no call in {folder} can be covered by a policy{_why(suggestion)}")
    loaded = load(suggestion.documents, catalogue, DETECTORS)
    findings = linted(suggestion.documents, catalogue, DETECTORS, now)
    return TriedSuggestion(suggestion, findings, backtest(folder, loaded, period, progress))


def _why(suggestion: Suggestion) -> str:
    return "".join(f"; {row.calls} of {row.tool} {row.action}: {row.why}" for row in suggestion.left_out[:5])


@unable_on(OSError)
def write_documents(folder: Path, documents: Mapping[str, str]) -> None:
    """Write the documents into a folder of their own. Raises Unable where there is anything in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise Unable(f"{folder} is not empty: name a folder of its own")
    for path, text in documents.items():
        (folder / path).write_text(text, encoding="utf-8")
