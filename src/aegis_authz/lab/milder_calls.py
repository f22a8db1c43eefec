"""Which recorded calls a candidate decides more mildly than they were decided, and how that is said."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.lab.backtest import BacktestReport, FlippedCall
from aegis_authz.policy.source.problems import printable


def milder_calls(report: BacktestReport) -> list[FlippedCall]:
    """The calls that would be decided more mildly."""
    return [flip for flip in report.flips if flip.direction == "milder"]


def milder_than_served(candidate: BacktestReport, served: BacktestReport) -> list[FlippedCall]:
    """Those of them that what is served would not decide as mildly: what was loosened before is not loosened again.

    Both reports are of the same records. A call that could not be judged under what is served counts.
    """
    before = {(flip.file, flip.line): flip.after.effect for flip in served.flips}

    def is_news(flip: FlippedCall) -> bool:
        effect = before.get((flip.file, flip.line))
        return effect is None or flip.after.effect < effect

    return [flip for flip in milder_calls(candidate) if is_news(flip)]


def unjudged_count(candidate: BacktestReport, served: BacktestReport) -> int:
    """How many calls the candidate leaves unjudged and what is served does not: what they come to is not known."""
    return len(candidate.unjudged - served.unjudged)


def first_in_words(flips: Sequence[FlippedCall]) -> str:
    """The first of them: its tool and action, both effects, and the rules that decide."""
    first = flips[0]
    words = f"{first.record.tool or first.record.host} {first.record.action}".strip()
    return (
        f"{printable(words)} ({first.before.value} -> {first.after.effect.value}, by "
        f"{printable(', '.join(first.rules))})"
    )


def rest_in_words(report: BacktestReport) -> str:
    """What else became of the records: what passes as before may do so with less redacted."""
    counts = (
        (sum(flip.direction == "other" for flip in report.flips), "let through on other terms"),
        (report.not_judged.total(), "not judged"),
        (report.unreadable, "unreadable"),
    )
    return "".join(f", {count} {words}" for count, words in counts if count)
