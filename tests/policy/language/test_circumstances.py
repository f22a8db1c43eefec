"""The words of `context` are the same wherever a call or a rule has them."""

from __future__ import annotations

from aegis_authz.core.circumstances import CIRCUMSTANCES
from aegis_authz.lab.calls import CallContext
from aegis_authz.policy.editor.descriptions import DESCRIPTIONS
from aegis_authz.policy.language.circumstances import CONTEXT_WORDS
from aegis_authz.policy.language.rule import ContextConditions


def test_rules_can_ask_for_every_circumstance_and_for_the_region_of_the_tool() -> None:
    assert set(ContextConditions.model_fields) == set(CONTEXT_WORDS) == {*CIRCUMSTANCES, "region"}


def test_a_tried_call_can_have_every_circumstance() -> None:
    assert set(CallContext.model_fields) == set(CIRCUMSTANCES)


def test_editors_say_what_each_word_is() -> None:
    for word in CONTEXT_WORDS:
        assert DESCRIPTIONS[f"ContextConditions.{word}"]
