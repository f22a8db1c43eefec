from __future__ import annotations

import pytest

from aegis_authz.core.scope import Scope
from aegis_authz.core.telemetry_terms import UNSAID, CallerTrace, ParameterDisplay, TelemetryRules, TelemetryTerms

AGENT = Scope("acme", "emea", "finance-agent")


def terms(parameters: str, trace: str) -> TelemetryTerms:
    return TelemetryTerms(ParameterDisplay(parameters), CallerTrace(trace))


def test_an_agent_whose_documents_say_nothing_has_its_parameters_named_and_its_trace_continued() -> None:
    assert TelemetryRules.by({}).of(AGENT) == UNSAID == terms("names", "continue")
    assert TelemetryRules.by({"acme/emea/clinic-agent": terms("clear", "link")}).of(AGENT) == UNSAID


def test_the_strictest_of_all_documents_that_cover_an_agent_holds_word_by_word() -> None:
    rules = TelemetryRules.by(
        {
            "acme/emea/finance-agent": terms("clear", "continue"),
            "acme/*/*": terms("hashed", "link"),
            "acme/emea/finance-*": terms("clear", "continue"),
            "other/*/*": terms("none", "link"),
        }
    )
    assert rules.of(AGENT) == terms("hashed", "link")


def test_a_document_may_show_more_than_is_shown_where_nobody_says_anything() -> None:
    assert TelemetryRules.by({"acme/emea/finance-agent": terms("clear", "continue")}).of(AGENT).parameters is (
        ParameterDisplay.CLEAR
    )


def test_terms_of_what_is_no_scope_are_refused() -> None:
    with pytest.raises(ValueError, match="unpack"):
        TelemetryRules.by({"acme": UNSAID})
