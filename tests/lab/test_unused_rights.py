"""Rights that documents give and no recorded call has used."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.core.call import CallKind
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.lab.unused_rights import UseBook, unused_rights
from aegis_authz.policy.load import load
from tests.support.recorded_payments import payment
from tests.support.tried_policies import TOOLS

HUB = "---\ntool: hub\nhost: hub.example\nmcp: {}\n"
EVERYTHING = """\
org: acme
tenant: emea
agent: "*"
allowed_tools:
  - {name: payments-api, actions: [pay, refund]}
  - {name: hub, actions: ["*"]}
"""
LOADED = load({"a.yaml": EVERYTHING}, {"t.yaml": TOOLS + HUB})


def unused(*records: DecisionRecord) -> list[tuple[str, str, str]]:
    book = UseBook(0.0)
    book.take(StoredRecord("f", number, record, "") for number, record in enumerate(records))
    return [(str(right.agent), right.tool, right.action) for right in unused_rights(book, LOADED).unused]


def test_agents_of_a_pattern_are_those_that_called() -> None:
    assert unused() == []
    assert unused(payment(0, 5, Reason.ALLOWED)) == [
        ("acme/emea/payer", "hub", "*"),
        ("acme/emea/payer", "payments-api", "refund"),
    ]


def test_a_held_call_is_a_use_and_a_refused_one_is_none() -> None:
    assert ("acme/emea/payer", "payments-api", "pay") not in unused(payment(0, 5, Reason.APPROVAL_NEEDED))
    seen = replace(payment(1, 5, Reason.ALLOWED), action="refund")
    assert ("acme/emea/payer", "payments-api", "pay") in unused(payment(0, 5, Reason.POLICY_DENIED), seen)


def test_any_tool_of_a_server_uses_the_right_to_all_of_them() -> None:
    called = replace(payment(0, 5, Reason.ALLOWED), tool="hub", action="create", kind=CallKind.MCP_TOOL)
    assert ("acme/emea/payer", "hub", "*") not in unused(called)


def test_a_line_that_cannot_be_read_is_counted_and_uses_nothing() -> None:
    book = UseBook(0.0)
    book.take([StoredRecord("f", 1, None, "not JSON")])
    assert (book.first, book.uses, book.unreadable) == (None, set(), 1)
