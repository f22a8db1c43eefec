"""What the models say of the members of documents, level by level."""

from __future__ import annotations

import pytest

from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.language.document import DefinitionsDocument, PolicyDocument, Template
from aegis_authz.policy.language.shapes import Shape, shape_of

POLICY = shape_of(PolicyDocument)


@pytest.mark.parametrize(
    ("shape", "word", "path"),
    [
        (POLICY, "agent", ()),
        (POLICY, "conditions", ("allowed_tools",)),
        (POLICY, "max_amount", ("allowed_tools", "conditions")),
        (POLICY, "approval_needed_over_fee", ("allowed_tools", "conditions")),
        (POLICY, "max", ("allowed_tools", "count")),
        (POLICY, "over", ("allowed_tools", "conditions", "parameters", "*")),
        (POLICY, "expires_in", ("allowed_tools", "approval")),
        (POLICY, "ports", ("egress", "allow")),
        (POLICY, "nonsense", None),
        (shape_of(Template), "actions", ("allowed_tools",)),
        (shape_of(DefinitionsDocument), "zone", ("define", "time_windows", "*")),
        (shape_of(ToolEntry), "match", ("actions", "*")),
    ],
)
def test_the_way_to_a_word_is_the_shortest(shape: Shape, word: str, path: tuple[str, ...] | None) -> None:
    assert shape.path_to(word) == path


def test_a_mapping_of_names_takes_any_and_holds_what_its_values_are() -> None:
    rule = POLICY.members["allowed_tools"]
    assert rule is not None
    conditions = rule.members["conditions"]
    assert conditions is not None
    parameters = conditions.members["parameters"]
    assert parameters is not None
    assert parameters.takes("whatever")
    inner = parameters.below("whatever")
    assert inner is not None
    assert "approval_needed_in" in inner.members
    assert "else" in inner.members  # as it is written, not as the model calls it


def test_short_forms_belong_into_conditions_alone() -> None:
    assert not POLICY.takes("max_amount")


def test_a_json_schema_is_one_value() -> None:
    assert POLICY.path_to("schema") is not None
    rule = POLICY.members["allowed_tools"]
    assert rule is not None
    conditions = rule.members["conditions"]
    assert conditions is not None
    assert conditions.members["schema"] is None
