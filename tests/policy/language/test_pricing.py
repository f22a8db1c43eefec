"""Prices as an operator writes them: what they become, and what is wrong with them."""

from __future__ import annotations

import pytest

from aegis_authz.core.price import FixedPrice, ModelPrice, OnError, ParameterPrice, Prices, Pricing, TokenPrice
from aegis_authz.policy.bundle.price_data import prices_from_data, prices_to_data
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

PRICES = """
prices:
  currency: USD
  models:
    gpt-4o: {input: 2.5, output: 10, cached: 1.25, context: 128000, max_output: 16384}
    "claude-*": {input: 3, output: 15, cache_write: 3.75}
source: genai-prices 0.2.3
"""
TOOL = "tool: bank\nhost: bank.example\n"
PAY = "actions: {pay: {match: POST /pay, parameters: {amount: {from: /amount, type: number}}}}\n"
HUB = "tool: hub\nhost: hub.example\nmcp: {tools: {find: {parameters: {owner: string, size: integer}}}}\n"


def prices(text: str) -> Prices:
    return load({}, {"tools.yaml": text}).prices


def problems(text: str) -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        prices(text)
    return [str(problem).splitlines()[0] for problem in caught.value.problems]


def test_a_tool_and_its_actions_have_prices() -> None:
    found = prices(
        TOOL
        + """
cost: {fixed: 0.002, currency: USD}
settle: {on_error: keep}
actions:
  pay:
    match: POST /pay
    cost: {parameter: amount, times: 0.01, currency: EUR}
    settle: {on_error: release}
    parameters: {amount: {from: /amount, type: integer}}
  look: {match: GET /look, settle: {on_error: release}}
  list: {match: GET /list}
"""
    )
    fixed = FixedPrice(2_000, "USD")
    assert found.by_action["bank"] == {
        "": Pricing(fixed, OnError.KEEP),
        "pay": Pricing(ParameterPrice("amount", 10**10, "EUR"), OnError.RELEASE),
        "look": Pricing(fixed, OnError.RELEASE),
    }


def test_models_have_prices_for_a_million_tokens() -> None:
    found = prices(PRICES + "---\n" + TOOL + "cost: {llm: {model: /model, max_output: 100}}\n" + PAY)
    assert found.by_action["bank"][""].price == TokenPrice("/model", 100)
    assert found.models == {
        "gpt-4o": ModelPrice("USD", 2_500_000, 1_250_000, 2_500_000, 10_000_000, 128_000, 16_384),
        "claude-*": ModelPrice("USD", 3_000_000, 3_000_000, 3_750_000, 15_000_000, None, None),
    }


def test_prices_survive_the_bundle() -> None:
    found = prices(
        PRICES
        + "---\n"
        + TOOL
        + "cost: {llm: {model: /model}}\n"
        + PAY
        + "---\n"
        + HUB
        + "cost: {parameter: size, currency: EUR}\n"
    )
    assert prices_from_data(prices_to_data(found)) == found


def test_an_mcp_server_has_the_prices_of_its_tools() -> None:
    text = HUB.replace("size: integer}", "size: integer}, cost: {parameter: size, currency: EUR}")
    assert prices(text).by_action["hub"] == {"find": Pricing(ParameterPrice("size", 10**12, "EUR"), OnError.RELEASE)}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cost: 0.01", "cost: is a price now and no note: write {fixed: 0.002"),
        ("cost: cheap", "cost: is a price now and no note"),
        ("cost: {}", "must have exactly one of fixed, parameter and llm"),
        ("cost: {fixed: 1, parameter: amount, currency: USD}", "must have exactly one of"),
        ("cost: {fixed: 1}", "must name its currency"),
        ("cost: {fixed: 1, currency: usd}", "'usd' is not a currency of ISO 4217"),
        ("cost: {fixed: 1, currency: DOLLAR}", "'DOLLAR' is not a currency"),
        ("cost: {fixed: -1, currency: USD}", "must be between 0 and four thousand million"),
        ("cost: {fixed: 1e12, currency: USD}", "must be between 0 and four thousand million"),
        ("cost: {fixed: 0.0000001, currency: USD}", "more than 6 digits behind the point"),
        ('cost: {fixed: "1", currency: USD}', "is no number"),
        ("cost: {fixed: true, currency: USD}", "is no number"),
        ("cost: {parameter: amount, times: 0, currency: USD}", "must be more than 0"),
        ("cost: {parameter: amount, times: -1, currency: USD}", "must be more than 0"),
        ("cost: {fixed: 1, times: 2, currency: USD}", "it needs parameter"),
        ("cost: {parameter: amuont, currency: USD}", "cost.parameter: no parameter 'amuont' of 'pay'"),
        ("cost: {llm: {model: /model}}", "cost.llm: needs the prices of models"),
        ("cost: {llm: {model: model}}", "must be a JSON pointer into the body"),
        ('cost: {llm: {model: "{model}"}}', "the path of 'pay' has no variable '{model}'"),
        ("cost: {llm: {model: /model}, currency: USD}", "names none of its own"),
        ("settle: {on_error: keep}", "settle: says what becomes of a charge"),
        ("settle: {on_error: forget}\ncost: {fixed: 1, currency: USD}", "settle.on_error"),
    ],
)
def test_what_is_no_price_is_an_error_with_its_place(line: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(f"{TOOL}{line}\n{PAY}")), problems(f"{TOOL}{line}\n{PAY}")


def test_a_price_is_by_a_number_alone() -> None:
    assert any("is of type string" in line for line in problems(HUB + "cost: {parameter: owner, currency: EUR}\n"))


def test_an_mcp_server_has_no_price_by_tokens() -> None:
    assert any(
        "this is an MCP server" in line for line in problems(f"{PRICES}---\n{HUB}cost: {{llm: {{model: /m}}}}\n")
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PRICES.replace("USD", "US$"), "not a currency"),
        (PRICES.replace("2.5", "-2.5"), "must be between 0"),
        (PRICES.replace("128000", "0"), "must be at least 1"),
        (PRICES.replace('"claude-*"', '"cl*de"'), "is no name of a model"),
        (PRICES + "---\n" + PRICES, "has a price already"),
        ("prices: {currency: USD, models: {}}\n", "must not be empty"),
        (PRICES.replace("output: 10,", ""), "output: is required"),
    ],
)
def test_prices_of_models_that_are_none_are_an_error(text: str, expected: str) -> None:
    assert any(expected in problem for problem in problems(text)), problems(text)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"by_action": [], "models": {}},
        {"by_action": {"a": {"b": {"on_error": "keep", "kind": "gift"}}}, "models": {}},
        {
            "by_action": {"a": {"b": {"on_error": "lose", "kind": "fixed", "micros": 1, "currency": "USD"}}},
            "models": {},
        },
        {
            "by_action": {"a": {"b": {"on_error": "keep", "kind": "fixed", "micros": -1, "currency": "USD"}}},
            "models": {},
        },
        {
            "by_action": {"a": {"b": {"on_error": "keep", "kind": "fixed", "micros": 1.5, "currency": "USD"}}},
            "models": {},
        },
        {"by_action": {"a": {"b": {"on_error": "keep", "kind": "fixed", "micros": 1, "currency": "??"}}}, "models": {}},
        {"by_action": {}, "models": {"m": {"currency": "USD"}}},
    ],
)
def test_a_bundle_with_other_prices_is_refused(data: object) -> None:
    with pytest.raises(ValueError):
        prices_from_data(data)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cost", "word"),
    [
        ("{llm: {model: /model}}", "cost.llm"),
        ('{llm: {model: "{model}"}}', "cost.llm"),
        ("{parameter: amount, currency: EUR}", "cost.parameter"),
    ],
)
def test_what_is_passed_through_unopened_has_a_fixed_price_or_none(cost: str, word: str) -> None:
    (problem,) = problems(f"{PRICES}---\n{TOOL}tls: passthrough\ncost: {cost}\n")
    assert f"{word}: is read from calls, and nothing is read of what is passed through" in problem
    fixed = prices(f"{TOOL}tls: passthrough\ncost: {{fixed: 0.1, currency: EUR}}\n")
    assert fixed.of("bank", "connect") == Pricing(FixedPrice(100_000, "EUR"), OnError.RELEASE)
