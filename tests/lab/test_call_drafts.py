"""Calls to begin with: they can be tried as they are."""

from __future__ import annotations

import yaml

from aegis_authz.lab.call_drafts import agents_of, call_text, case_text, draft_of, written_call
from aegis_authz.lab.call_sources import one_call
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import cases_of
from aegis_authz.policy.load import Loaded, load
from tests.support.tried_policies import POLICIES, TOOLS

OWN = "name: aegis\nagent: '*'\nallowed_tools:\n- name: payments-api\n  actions: [refund]\n"


def loaded(**more: str) -> Loaded:
    return load({"agents.yaml": POLICIES, **more}, {"tools.yaml": TOOLS})


def test_a_draft_is_of_the_first_rule_and_can_be_tried() -> None:
    documents = loaded()
    draft = draft_of(documents, "", "", "")
    assert (draft["agent"], draft["tool"]) == ("acme/emea/payer", "payments-api")
    assert one_call("call", call_text(draft), documents).call.parameters == draft["parameters"]


def test_what_is_named_is_what_the_draft_is_of() -> None:
    draft = draft_of(loaded(), "a/b/c", "payments-api", "refund")
    assert (draft["agent"], draft["tool"], draft["action"]) == ("a/b/c", "payments-api", "refund")


def test_documents_of_aegis_itself_come_last() -> None:
    documents = load({"/aegis/own.yaml": OWN, "agents.yaml": POLICIES}, {"tools.yaml": TOOLS})
    assert draft_of(documents, "", "", "")["agent"] == "acme/emea/payer"
    assert draft_of(load({"/aegis/own.yaml": OWN}, {"tools.yaml": TOOLS}), "", "", "")["agent"] == "org/tenant/agent"


def test_without_a_policy_that_speaks_of_a_call_there_is_none() -> None:
    assert draft_of(load({}, {"tools.yaml": TOOLS}), "", "", "") == {}


def test_agents_are_those_that_documents_name_in_full() -> None:
    assert agents_of(loaded(more="agent: '*'\nname: all\n")) == ["acme/emea/payer", "acme/emea/reader"]


def test_a_call_that_was_tried_is_a_test_of_the_same_call() -> None:
    call = TriedCall(agent="acme/emea/payer", tool="payments-api", action="refund")
    text = case_text("refunds", written_call(call), "deny", "POLICY_DENIED")
    [case] = cases_of({"a_test.yaml": text}, loaded())
    assert case.call == call
    assert yaml.safe_load(text)["tests"][0]["expect"] == {"effect": "deny", "reason": "POLICY_DENIED"}


def test_what_rules_ask_about_is_in_a_draft_with_a_value_that_they_list() -> None:
    draft = draft_of(loaded(), "", "payments-api", "pay")
    assert draft["parameters"] == {"amount": 1, "payee": "ACME"}
