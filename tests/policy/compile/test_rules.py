"""Rules, each compiled once, and every check with the place where it was written."""

from __future__ import annotations

from aegis_authz.policy.compile.rules import CompiledRule
from aegis_authz.policy.load import LoadedPolicy, load
from aegis_authz.policy.source.places import as_written, inside

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nactions:\n  pay: {match: POST /pay}\n"}
TEXT = """\
template: house-rules
allowed_tools:
  - {name: bank, actions: [pay], conditions: {max_amount: 9}}
---
agent: one
name: one
extends: house-rules
allowed_tools:
  - name: bank
    actions: [pay]
    conditions:
      max_amount: 5
      approval_needed_over: 3
      parameters:
        payee: {in: [ACME]}
        memo: [{length: {max: 9}}, {matches: "[a-z]*"}, {length: {min: 1}, type: string}]
        to: {every: {in: [a]}, exists: true}
      context:
        time: {within: [{hours: "09:00-17:00"}]}
        token_age: {max: 300}
      schema: {required: [amount]}
denied_tools:
  - {name: bank, actions: [pay], conditions: {parameters: {amount: {over: 100}}}}
---
agent: two
name: two
extends: house-rules
"""


def documents() -> tuple[LoadedPolicy, LoadedPolicy]:
    one, two = load({"p.yaml": TEXT}, TOOLS).loaded_policies
    return one, two


def own_rule() -> CompiledRule:
    return documents()[0].compiled.rules.allowing[0]


def test_a_check_is_found_where_it_was_written() -> None:
    one, _ = documents()
    for rule in one.compiled.rules:
        whole = one.source_of(rule).value
        for check in (check for value in rule.values for check in value.checks if check.at is not None):
            at = as_written(whole, (*rule.at, "conditions", *check.at))
            written = inside(whole, at)
            limit = check.limit
            assert written is not None
            assert check.condition in ("within", "schema") or written == limit
            assert at[-1] in (check.condition, f"{check.condition}_amount")


def test_two_checks_of_one_word_have_their_own_places() -> None:
    (memo,) = [value for value in own_rule().values if value.name == "memo"]
    lengths = [check.at for check in memo.checks if check.condition == "length"]
    assert lengths == [("parameters", "memo", 0, "length"), ("parameters", "memo", 2, "length")]
    assert memo.shape == (("type", ("parameters", "memo", 2, "type")),)


def test_what_nobody_wrote_has_no_place() -> None:
    (amount,) = [value for value in own_rule().values if value.name == "amount"]
    assert [check.condition for check in amount.checks if check.at is None] == ["min"]


def test_a_rule_says_whether_it_can_ask_for_an_approval() -> None:
    one, two = documents()
    assert [rule.asks for rule in one.compiled.rules] == [True, False, False]
    assert [rule.denies for rule in one.compiled.rules] == [False, False, True]
    assert [rule.id for rule in two.compiled.rules] == ["house-rules:allowed_tools[0]"]


def test_the_rules_of_a_template_are_compiled_once_for_all_that_extend_it() -> None:
    one, two = documents()
    assert one.compiled.rules.allowing[1].values is two.compiled.rules.allowing[0].values
    assert one.source_of(one.compiled.rules.allowing[1]) is two.source_of(two.compiled.rules.allowing[0])
