"""Which recorded calls a candidate decides more mildly: than they were, and than what is served does."""

from __future__ import annotations

from collections import Counter

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.lab.backtest import BacktestReport, FlippedCall
from aegis_authz.lab.milder_calls import (
    first_in_words,
    milder_calls,
    milder_than_served,
    rest_in_words,
    unjudged_count,
)
from aegis_authz.lab.simulation import Direction
from tests.support.made_records import DENIED


def flip(line: int, effect: Effect, direction: Direction = "milder", before: Effect = Effect.DENY) -> FlippedCall:
    after = object.__new__(Decision)
    object.__setattr__(after, "effect", effect)
    return FlippedCall("a.jsonl", line, DENIED, before, after, direction, ("effect",), ("paying: rule 1",), True)


def report(*flips: FlippedCall) -> BacktestReport:
    return BacktestReport(flips=[*flips])


def test_what_is_stricter_or_passes_on_other_terms_is_not_milder() -> None:
    milder = flip(1, Effect.ALLOW)
    flips = (milder, flip(2, Effect.DENY, "stricter", Effect.ALLOW), flip(3, Effect.SANITIZE, "other", Effect.SANITIZE))
    assert milder_calls(report(*flips)) == [milder]


def test_what_was_loosened_before_is_not_loosened_again() -> None:
    """Line 1 passes by what is served, too; line 2 needs a person there, and line 3 is denied as it was."""
    candidate = report(*(flip(line, Effect.ALLOW) for line in (1, 2, 3)))
    served = report(flip(1, Effect.ALLOW), flip(2, Effect.APPROVAL_NEEDED))
    assert [entry.line for entry in milder_than_served(candidate, served)] == [2, 3]


def test_what_is_milder_than_recorded_and_stricter_than_served_is_no_loosening() -> None:
    assert milder_than_served(report(flip(1, Effect.APPROVAL_NEEDED)), report(flip(1, Effect.ALLOW))) == []


def test_what_neither_of_both_can_judge_is_not_hidden_by_the_candidate() -> None:
    candidate, served = BacktestReport(unjudged={("a", 1), ("b", 1)}), BacktestReport(unjudged={("a", 1), ("a", 2)})
    assert unjudged_count(candidate, served) == 1


def test_the_first_is_told_with_its_rule_and_what_nobody_judged_is_counted() -> None:
    words = first_in_words([flip(1, Effect.ALLOW)])
    assert words.endswith("(deny -> allow, by paying: rule 1)")
    rest = BacktestReport(flips=[flip(1, Effect.SANITIZE, "other")], unreadable=2, not_judged=Counter({"x": 3}))
    assert rest_in_words(rest) == ", 1 let through on other terms, 3 not judged, 2 unreadable"
    assert rest_in_words(BacktestReport()) == ""
