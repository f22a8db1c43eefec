"""Conditions on values that are read in more than one way."""

from __future__ import annotations

import pytest

from tests.support.linting import codes, document, paying

TRACKER = """\
tool: tracker
host: tracker.example
mcp:
  tools:
    find: {parameters: {label: {type: string, optional: true}, owner: string}}
    list: {parameters: {label: string}}
"""


def finding_labels(conditions: str, actions: str = "find") -> list[str]:
    rule = f"{{name: tracker, actions: [{actions}], conditions: {{{conditions}}}}}"
    return codes(document(f"allowed_tools:\n  - {rule}\n"), TRACKER)


def denying(conditions: str) -> list[str]:
    rule = "{name: stripe-payments, actions: [create_payment], conditions: {%s}}"
    allowed = rule % "max_amount: 5"
    return codes(document(f"allowed_tools:\n  - {allowed}\ndenied_tools:\n  - {rule % conditions}\n"))


@pytest.mark.parametrize(
    "network",
    ["::ffff:10.0.0.0/104", "::/96", "::2/128", "64:ff9b::/96", "64:ff9b:1:2::/96", "2002:a00::/24", "2001:0:1::/48"],
)
def test_a_range_of_addresses_that_lead_to_others_is_found(network: str) -> None:
    assert codes(paying(f'parameters: {{ip: {{in_ranges: ["{network}"]}}}}')) == ["embedded-range"]
    assert codes(paying(f'parameters: {{ips: {{every: {{in_ranges: ["{network}"]}}, count: {{min: 1}}}}}}')) == [
        "embedded-range"
    ]


@pytest.mark.parametrize("network", ["10.0.0.0/8", "::1/128", "2001:db8::/32", "fc00::/7", "::/0"])
def test_other_ranges_are_not(network: str) -> None:
    assert codes(paying(f'parameters: {{ip: {{in_ranges: ["{network}"]}}}}')) == []


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ("parameters: {label: {in: [bug]}}", ["null-denied"]),
        ("parameters: {label: {type: string}}", ["null-denied"]),
        ("parameters: {label: {in: [bug], optional: true}}", []),
        ("parameters: {label: {exists: false}}", []),
        ("parameters: {owner: {in: [bug]}}", []),
    ],
)
def test_a_condition_that_denies_null_where_the_catalogue_expects_it_is_found(
    conditions: str, expected: list[str]
) -> None:
    assert finding_labels(conditions) == expected


def test_actions_that_take_no_null_are_not_meant() -> None:
    assert finding_labels("parameters: {label: {in: [bug]}}", "list") == []
    assert "null-denied" in finding_labels("parameters: {label: {in: [bug]}}", '"*"')


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        ("parameters: {amount: {schema: {minimum: 5001}}}", 1),
        ("parameters: {amount: {schema: {type: number, minimum: 5001}}}", 0),
        ("parameters: {amount: {schema: {enum: [1]}}}", 0),
        ("parameters: {to: {schema: {type: object, properties: {sum: {minimum: 1}, name: {type: string}}}}}", 1),
        ("schema: {required: [amount]}", 0),
        ("schema: {properties: {amount: {minimum: 5001}}}", 1),
    ],
)
def test_a_schema_that_denies_and_names_no_type_is_found(conditions: str, count: int) -> None:
    assert denying(conditions).count("untyped-schema") == count


def test_a_schema_that_allows_is_not() -> None:
    assert codes(paying("parameters: {amount: {schema: {minimum: 0}}}")) == []
