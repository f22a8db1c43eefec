"""Which word about records holds for an agent."""

from __future__ import annotations

from aegis_authz.core.record_terms import NO_RECORD_RULES, RecordedParameters, RecordRules
from aegis_authz.core.scope import Scope

AGENT = Scope("acme", "emea", "clinic-agent")


def test_where_no_document_says_anything_records_hold_what_is_declared() -> None:
    assert NO_RECORD_RULES.of(AGENT) is RecordedParameters.DECLARED
    assert RecordRules.by({"acme/us/*": RecordedParameters.CLEAR}).of(AGENT) is RecordedParameters.DECLARED


def test_a_document_may_have_records_hold_more_and_another_that_covers_the_agent_less() -> None:
    rules = {"acme/emea/clinic-agent": RecordedParameters.CLEAR}
    assert RecordRules.by(rules).of(AGENT) is RecordedParameters.CLEAR
    assert RecordRules.by(rules | {"acme/*/*": RecordedParameters.HASHED}).of(AGENT) is RecordedParameters.HASHED
    assert RecordRules.by(rules | {"*/*/*": RecordedParameters.DECLARED}).of(AGENT) is RecordedParameters.DECLARED
