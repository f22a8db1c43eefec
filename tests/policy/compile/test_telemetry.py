from __future__ import annotations

import pytest

from aegis_authz.core.telemetry_terms import CallerTrace, ParameterDisplay, TelemetryTerms
from aegis_authz.policy.compile.telemetry import telemetry_of
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}


def terms(*documents: str) -> dict[str, TelemetryTerms]:
    return telemetry_of(load({f"p{number}.yaml": text for number, text in enumerate(documents)}, TOOLS).compiled)


def test_documents_say_by_their_scope_what_spans_may_show() -> None:
    assert terms("agent: a\ntelemetry: {parameters: clear}\n", "agent: b\n") == {
        "*/*/a": TelemetryTerms(ParameterDisplay.CLEAR, CallerTrace.CONTINUE)
    }


def test_of_two_documents_of_one_scope_the_strictest_words_hold_shadow_included() -> None:
    strict = "agent: a\nname: x\nmode: shadow\ntelemetry: {parameters: none}\n"
    loose = "agent: a\ntelemetry: {parameters: clear, trace: link}\n"
    assert terms(loose, strict) == {"*/*/a": TelemetryTerms(ParameterDisplay.NONE, CallerTrace.LINK)}


@pytest.mark.parametrize("words", ["{parameters: all}", "{trace: follow}", "{parameters: }", "{spans: none}"])
def test_another_word_is_refused_with_its_place(words: str) -> None:
    with pytest.raises(PolicyErrors) as refusal:
        terms(f"agent: a\ntelemetry: {words}\n")
    assert [problem.line for problem in refusal.value.problems] == [2]
