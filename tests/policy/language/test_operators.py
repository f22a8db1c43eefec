"""Every word of a condition is known everywhere it has to be, and this test sees the one that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from aegis_authz.core.json_value import Json
from aegis_authz.lab.document_changes import document_changes
from aegis_authz.lab.edits import Edit, words_of
from aegis_authz.policy.editor.schema import policy_schema
from aegis_authz.policy.language.operators import OPERATORS, PHRASES, Direction, Holder, Operand, Operator
from aegis_authz.policy.language.values import ElementRule, ParameterRule, TimeRule
from tests.support import hostile_values

ROOT = Path(__file__).parents[3]
REGO = (ROOT / "rego" / "comparisons.rego").read_text()
INTERPRETER = "".join(path.read_text() for path in sorted((ROOT / "tests" / "support").glob("reference*.py")))
REFERENCE = (ROOT / "docs" / "policy-reference.md").read_text()
HOSTILE: tuple[Mapping[str, Any], ...] = (
    hostile_values.NUMBERS,
    hostile_values.TEXTS,
    hostile_values.LISTS,
    hostile_values.ADDRESSES,
)
MODELS: Mapping[Holder, tuple[type[BaseModel], ...]] = {
    Holder.VALUE: (ParameterRule, ElementRule),
    Holder.PARAMETER: (ParameterRule,),
    Holder.TIME: (TimeRule,),
}
WINDOWS = [{"zone": "UTC", "hours": "09:00-17:00"}]
EXAMPLES: Mapping[Operand, Json] = {
    Operand.KIND: "string",
    Operand.SCALAR: "a",
    Operand.SCALARS: ["a", "b"],
    Operand.NUMBER: 5,
    Operand.PATTERN: "[a-z]+",
    Operand.TEXT: "a",
    Operand.SIZE: {"max": 3},
    Operand.HOSTS: ["a.example", "b.example"],
    Operand.RANGES: ["10.0.0.0/8"],
    Operand.PRESENCE: True,
    Operand.ELEMENTS: {"in": ["a", "b"]},
    Operand.SCHEMA: {"maximum": 5, "minimum": 1},
    Operand.WINDOWS: [*WINDOWS],
}
BEYOND = Operator(
    word="beyond",
    holder=Holder.VALUE,
    operand=Operand.NUMBER,
    json_type="number",
    direction=Direction.LOWER,
    phrase="",
    text="",
)
"""A word that was declared and then forgotten everywhere else."""


def lacking(operator: Operator) -> Iterator[str]:
    """What a word still needs, each in a few words."""
    if not all(operator.word in _members(model) for model in MODELS[operator.holder]):
        yield "a field in its models"
    if not _has_rego(operator):
        yield "a rule in rego/comparisons.rego"
    if re.search(rf"\.{operator.field}\b|\"{operator.field}\"", INTERPRETER) is None:
        yield "a rule of the plain interpreter in tests/support"
    if not _has_row(operator.word):
        yield "a row of the table in docs/policy-reference.md"
    if operator.holder is not Holder.TIME and not any(_is_about(operator.word, rule) for rule in _hostile()):
        yield "conditions in tests/policy/hostile_values.py"
    if not any(_mutates(operator, change) for change in document_changes(_document(operator))):
        yield "a mutation"
    if not PHRASES.get(operator.word):
        yield "a phrase for refusals"
    if not all(_editor_text(model.__name__, operator.word) for model in MODELS[operator.holder]):
        yield "a text for editors"


def _members(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def _has_rego(operator: Operator) -> bool:
    if operator.operand is Operand.PRESENCE:  # what must not be there meets nothing, and that is certain
        return f'"{operator.word}",' in REGO.partition("sound(condition, _, _)")[2].partition("}\n}")[0]
    return f'meets("{operator.word}",' in REGO or f'check.condition == "{operator.word}"' in REGO


def _has_row(word: str) -> bool:
    cells = re.findall(r"^\| ([^|]+) \|", REFERENCE, re.MULTILINE)
    return any(f"`{word}`" in cell for cell in cells) or re.search(rf"`{word}:? ?\[", REFERENCE) is not None


def _hostile() -> Iterator[object]:
    for family in HOSTILE:
        yield from family.values()


def _is_about(word: str, value: object) -> bool:
    """Whether the word, or its short form, stands anywhere inside."""
    if isinstance(value, Mapping):
        return any(key == word or key.startswith(f"{word}_x") or _is_about(word, one) for key, one in value.items())
    return isinstance(value, list) and any(_is_about(word, one) for one in value)


def _document(operator: Operator) -> Json:
    written: dict[str, Json] = {operator.word: EXAMPLES[operator.operand]}
    place, name = ("context", "time") if operator.holder is Holder.TIME else ("parameters", "x")
    rule: Json = {"name": "t", "actions": ["a"], "conditions": {place: {name: written}}}
    return {"agent": "a", "allowed_tools": [rule]}


def _mutates(operator: Operator, change: Edit) -> bool:
    """Whether a change does more with the word than take it away, unless there is nothing more to do with it."""
    if operator.opposite:
        return change.words.endswith(f"is turned into {operator.opposite}")
    is_whole = change.words == f"{operator.word} {words_of(EXAMPLES[operator.operand])} is removed"
    is_simple = operator.operand in (Operand.KIND, Operand.PATTERN, Operand.TEXT)
    return operator.word in change.at and (is_simple or not is_whole)


def _editor_text(model: str, word: str) -> bool:
    parts: Any = policy_schema()["$defs"]
    return bool(parts[model]["properties"].get(word, {}).get("description"))


@pytest.mark.parametrize("word", OPERATORS)
def test_a_word_lacks_nothing(word: str) -> None:
    assert [*lacking(OPERATORS[word])] == []


def test_a_word_that_was_forgotten_everywhere_is_seen() -> None:
    assert [*lacking(BEYOND)] == [
        "a field in its models",
        "a rule in rego/comparisons.rego",
        "a rule of the plain interpreter in tests/support",
        "a row of the table in docs/policy-reference.md",
        "conditions in tests/policy/hostile_values.py",
        "a mutation",
        "a phrase for refusals",
        "a text for editors",
    ]


def test_each_member_of_the_models_is_a_word_or_no_comparison() -> None:
    beside = {"optional", "else", "at"}
    for model in {model for models in MODELS.values() for model in models}:
        assert _members(model) - beside == {
            word for word, operator in OPERATORS.items() if model in MODELS[operator.holder]
        }


def test_opposites_are_each_others_opposites() -> None:
    for word, operator in OPERATORS.items():
        assert not operator.opposite or OPERATORS[operator.opposite].opposite == word


def test_every_phrase_says_the_limit_unless_there_is_none() -> None:
    without = {word for word, phrase in PHRASES.items() if "{limit}" not in phrase}
    assert without == {"exists"}


def test_a_declaration_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        OPERATORS["max"].phrase = "anything"  # type: ignore[misc]
    assert replace(OPERATORS["max"], phrase="less").word == "max"


@pytest.mark.parametrize("word", ["in_ranges", "not_in_ranges"])
@pytest.mark.parametrize("text", ["fe80::%eth0/64", "fe80::1%1", "10.0.0.0/33", "10.0.0.1/8", "::1%/128", ""])
def test_what_is_no_range_to_opa_is_none_here(word: str, text: str) -> None:
    """With one that OPA cannot read, it compares with none of a list."""
    with pytest.raises(ValidationError, match="is not an address range"):
        ElementRule.model_validate({word: ["10.0.0.0/8", text]})
