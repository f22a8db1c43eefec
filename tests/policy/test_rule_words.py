from __future__ import annotations

import pytest

from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.rule_words import condition_words, demand_words


def words(rule: dict[str, object]) -> list[str]:
    document = PolicyDocument.model_validate(
        {"agent": "a", "allowed_tools": [{"name": "bank", "actions": ["pay"], **rule}]}
    )
    [compiled] = compiled_document(document).rules.allowing
    return [*condition_words(compiled), *demand_words(compiled.rule)]


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ({"type": "string"}, "to: of type string"),
        ({"exists": True}, "to: is there"),
        ({"exists": False}, "to: leaving it out"),
        ({"count": {"max": 2}}, "to: a list of at most 2"),
        ({"every": {"starts_with": "a", "length": {"min": 1, "max": 3}}}, None),
        ({"equals": {"parameter": "from"}}, "to: exactly the value of from"),
        ({"host_in": ["acme.com", "*.acme.com"]}, "to: a host among acme.com, *.acme.com"),
        ({"matches": "x" * 400}, "to: matching " + "x" * 159 + "…"),
    ],
)
def test_a_condition_is_a_sentence_that_names_its_parameter(parameter: dict[str, object], sentence: str | None) -> None:
    [told] = words({"conditions": {"parameters": {"to": parameter}}})
    if sentence is None:  # the order of the words of an element is that of the language
        assert told.startswith("to: a list of which every element is ")
        assert {"starting with a", "of a length of at least 1", "at most 3"} <= set(told[37:].split(" and "))
    else:
        assert told == sentence


def test_circumstances_are_told_as_findings_name_them() -> None:
    window = {"name": "office", "hours": "09:00-17:00", "zone": "Europe/Berlin"}
    context = {"time": {"within": [window]}, "environment": {"in": ["live"], "else": "approval_needed"}}
    assert words({"conditions": {"context": context}}) == [
        "context.time: within office",
        "context.environment: one of live, else an approval",
    ]


def test_what_a_rule_demands_is_told_after_its_conditions() -> None:
    rule: dict[str, object] = {
        "sanitize": {"request": {"detectors": ["iban"], "fields": ["/note"]}},
        "approval": {"always": True, "groups": ["b", "a"]},
        "obligations": {
            "set_headers": [{"name": "x-a", "value": "1"}],
            "inject_credentials": [{"credential": "key"}],
        },
    }
    assert words(rule) == [
        "redacts in the request: iban, /note",
        "sets the header x-a",
        "puts the credential key into the header authorization",
        "every call is approved by one person of a or b",
    ]
