"""References of a description are followed, and never in circles."""

from __future__ import annotations

import pytest

from aegis_authz.policy.openapi.references import Description, ReferenceUnresolved

DOCUMENT = {
    "components": {
        "a": {"$ref": "#/components/b"},
        "b": {"type": "string"},
        "round": {"$ref": "#/components/round"},
        "x/y~z": {"type": "integer"},
        "list": [{"type": "boolean"}],
    }
}


def test_a_reference_to_a_reference_is_followed() -> None:
    assert Description(DOCUMENT).resolved({"$ref": "#/components/a"}) == {"type": "string"}


def test_a_pointer_is_unescaped_and_counts_in_lists() -> None:
    description = Description(DOCUMENT)
    assert description.resolved({"$ref": "#/components/x~1y~0z"}) == {"type": "integer"}
    assert description.resolved({"$ref": "#/components/list/0"}) == {"type": "boolean"}


@pytest.mark.parametrize("value", [None, "text", [1], 3])
def test_what_is_no_object_says_nothing(value: object) -> None:
    assert Description(DOCUMENT).resolved(value) == {}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("#/components/round", "in a circle"),
        ("other.yaml#/x", "in another file"),
        ("#/components/none", "leads nowhere"),
        ("#/components/list/9", "leads nowhere"),
    ],
)
def test_a_reference_that_leads_to_nothing_is_named(target: str, sentence: str) -> None:
    with pytest.raises(ReferenceUnresolved, match=sentence):
        Description(DOCUMENT).resolved({"$ref": target})


def test_what_stands_beside_a_reference_counts_from_3_1_on() -> None:
    schema = {"$ref": "#/a", "description": "x"}
    document = {"openapi": "3.1.0", "a": {"$ref": "#/b", "readOnly": True}, "b": {"type": "string"}}
    parts = [{"description": "x"}, {"readOnly": True}, {"type": "string"}]
    assert Description(document).applying(schema) == parts
    assert Description({**document, "openapi": "3.0.3"}).applying(schema) == parts[2:]
    assert Description({}).applying(True) == []
