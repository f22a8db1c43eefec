"""Which word about records holds for an agent."""

from __future__ import annotations

import pytest

from aegis_authz.core.record_terms import NO_RECORD_RULES, RecordedParameters, RecordRules
from aegis_authz.core.scope import Scope

SEALED = RecordedParameters.SEALED
AGENT = Scope("acme", "emea", "clinic-agent")


def test_where_no_document_says_anything_records_hold_what_is_declared() -> None:
    assert NO_RECORD_RULES.of(AGENT) is RecordedParameters.DECLARED
    assert RecordRules.by({"acme/us/*": RecordedParameters.CLEAR}).of(AGENT) is RecordedParameters.DECLARED


def test_a_document_may_have_records_hold_more_and_another_that_covers_the_agent_less() -> None:
    rules = {"acme/emea/clinic-agent": RecordedParameters.CLEAR}
    assert RecordRules.by(rules).of(AGENT) is RecordedParameters.CLEAR
    assert RecordRules.by(rules | {"acme/*/*": RecordedParameters.HASHED}).of(AGENT) is RecordedParameters.HASHED
    assert RecordRules.by(rules | {"*/*/*": RecordedParameters.DECLARED}).of(AGENT) is RecordedParameters.DECLARED


def test_what_is_sealed_is_for_the_auditor_of_the_documents_that_cover_the_agent() -> None:
    rules = RecordRules.by({"acme/emea/*": SEALED, "acme/*/*": RecordedParameters.CLEAR}, {"acme/emea/*": b"a" * 32})
    assert (rules.of(AGENT), rules.auditor_of(AGENT)) == (SEALED, b"a" * 32)
    assert rules.auditor_of(Scope("acme", "us", "clinic-agent")) is None
    assert NO_RECORD_RULES.auditor_of(AGENT) is None


def test_what_two_auditors_are_to_open_each_alone_nobody_opens() -> None:
    rules = RecordRules.by(
        dict.fromkeys(("acme/emea/*", "*/*/*"), SEALED), {"acme/emea/*": b"a" * 32, "*/*/*": b"b" * 32}
    )
    assert (rules.of(AGENT), rules.auditor_of(AGENT)) == (RecordedParameters.HASHED, None)


def test_what_a_stricter_document_keeps_out_is_not_sealed_either() -> None:
    words = {"acme/emea/*": SEALED, "acme/*/*": RecordedParameters.HASHED}
    rules = RecordRules.by(words, {"acme/emea/*": b"a" * 32})
    assert (rules.of(AGENT), rules.auditor_of(AGENT)) == (RecordedParameters.HASHED, None)


@pytest.mark.parametrize("auditors", [{}, {"acme/*/*": b"a" * 32}])
def test_to_seal_without_an_auditor_is_refused(auditors: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="has the key of an auditor"):
        RecordRules.by({"acme/emea/*": SEALED}, auditors)
