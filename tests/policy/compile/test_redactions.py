"""What a limit redacts is what Rego makes of the same words in a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aegis_authz.core.decision import Decision
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.redactions import redaction_obligations
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.wire.opa.obligations import obligations_to_data
from tests.support.reference_documents import TOOLS

TRUST = trust_to_data("lab", "lab", [], [], 300, 0)
PAY: dict[str, Any] = {
    "subject": {"properties": {"org": "o", "tenant": "t", "agent": "a"}},
    "action": {"name": "pay", "properties": {}},
    "resource": {"type": "http", "id": "bank"},
    "context": {},
}


@pytest.fixture(scope="module")
def opa(opa_binary: Any) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


@pytest.mark.parametrize(
    "sanitize",
    [
        {"request": {"detectors": ["us_ssn", "iban"], "fields": ["/b", "/a"]}},
        {"response": {"fields": ["/a"], "match": "loose", "numbers": True, "opaque": "pass"}},
        {
            "request": {
                "detectors": [{"name": "z", "pattern": "z+", "validator": "luhn"}, {"name": "y", "pattern": "y"}]
            },
            "response": {"detectors": ["iban"]},
        },
    ],
)
def test_a_limit_redacts_as_a_rule_with_the_same_words(opa: LabOpa, sanitize: dict[str, Any]) -> None:
    rule = {"name": "bank", "actions": ["pay"], "sanitize": sanitize}
    document = PolicyDocument.model_validate({"agent": "a", "allowed_tools": [rule]})
    opa.load(compile_policy([compiled_document(document)], TOOLS, TRUST, "").data)
    (decision,) = opa.decisions([PAY])
    assert isinstance(decision, Decision)
    assert [*redaction_obligations(document.allowed_tools[0].sanitize)] == obligations_to_data(decision.obligations)
