"""What a call may cost at most: from its parameters, or from what it says of its tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.catalogue import Parameter, ParameterSource, ParameterType
from aegis_authz.core.json_value import Json
from aegis_authz.core.money import MICRO, Money
from aegis_authz.core.price import (
    FixedPrice,
    ModelPrice,
    OnError,
    ParameterPrice,
    Price,
    Prices,
    Pricing,
    TokenPrice,
)
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Digest
from aegis_authz.costs.estimate import estimate

GPT = ModelPrice("USD", 2_500_000, 1_250_000, 2_500_000, 10_000_000, 128_000, 16_384)
SMALL = ModelPrice("USD", 100_000, 100_000, 100_000, 400_000, None, None)
MODELS = {"gpt-4o": GPT, "small-*": SMALL}
LLM = TokenPrice("/model", None)


def call(parameters: Mapping[str, Json], **changes: object) -> ToolCall:
    made = ToolCall(
        kind=CallKind.ACTION,
        tool="bank",
        action="pay",
        parameters=parameters,
        declared=(),
        host="bank.example",
        port=None,
        method="POST",
        path="/pay",
        source="",
        rpc=NO_RPC,
        digest=Digest(""),
        content_type="application/json",
        scheme="http",
        besides={},
        spellings={},
        batch=0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def priced(price: Price, action: str = "") -> Prices:
    return Prices({"bank": {action: Pricing(price, OnError.RELEASE)}}, MODELS)


def cost(parameters: Mapping[str, Json], price: Price, size: int = 0) -> Money:
    found = estimate(call(parameters), (), size, priced(price))
    assert found is not None
    return found.money


def refusal(parameters: Mapping[str, Json], price: Price, size: int = 0) -> str:
    with pytest.raises(Refused) as refused:
        estimate(call(parameters), (), size, priced(price))
    assert refused.value.reason is Reason.COST_UNKNOWN
    return refused.value.detail


def test_a_fixed_price_is_that_of_every_call() -> None:
    assert cost({}, FixedPrice(2_000, "USD")) == Money(2_000, "USD")


def test_a_batch_costs_a_fixed_price_for_each_operation_and_what_a_parameter_says_once() -> None:
    batch = replace(call({"amount": 5}), batch=3)
    for price, micros in ((FixedPrice(2_000, "USD"), 6_000), (ParameterPrice("amount", 10**12, "USD"), 5_000_000)):
        estimated = estimate(batch, (), 0, priced(price))
        assert estimated is not None and estimated.money == Money(micros, "USD")


def test_a_tool_without_a_price_costs_nothing_and_asks_for_nothing() -> None:
    assert estimate(call({}, tool="other"), (), 0, priced(FixedPrice(1, "USD"))) is None
    assert estimate(call({}), (), 0, priced(FixedPrice(1, "USD"), "refund")) is None


def test_the_handshake_of_an_mcp_server_costs_nothing_and_its_tools_do() -> None:
    prices = priced(FixedPrice(1, "USD"))
    assert estimate(call({}, kind=CallKind.MCP_SESSION, action="tools/list"), (), 0, prices) is None
    assert estimate(call({}, kind=CallKind.MCP_TOOL), (), 0, prices) is not None


def test_the_price_of_an_action_goes_before_that_of_its_tool() -> None:
    both = Prices(
        {"bank": {"": Pricing(FixedPrice(5, "USD"), OnError.KEEP), "pay": Pricing(FixedPrice(7, "USD"), OnError.KEEP)}},
        {},
    )
    assert [estimate(call({}, action=name), (), 0, both).money.micros for name in ("pay", "look")] == [7, 5]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "times", "micros"),
    [(12, 10**12, 12 * MICRO), (12.5, 10**12, 12_500_000), (4200, 10**10, 42 * MICRO), (0, 10**12, 0), (1, 1, 1)],
)
def test_a_parameter_is_multiplied_and_rounded_up(value: float, times: int, micros: int) -> None:
    assert cost({"amount": value}, ParameterPrice("amount", times, "EUR")) == Money(micros, "EUR")


@pytest.mark.parametrize("value", [-1, -0.01, "12", True, None, [1], {"a": 1}, 1e300, 10**18])
def test_a_parameter_that_is_no_amount_is_refused_and_never_free(value: Json) -> None:
    refusal({"amount": value}, ParameterPrice("amount", 10**12, "EUR"))


def test_a_parameter_that_is_missing_is_refused_by_its_name() -> None:
    assert "amount" in refusal({"Amount": 5}, ParameterPrice("amount", 10**12, "EUR"))


@given(st.integers(0, 10**9) | st.floats(0, 1e9), st.integers(1, 10**13))
def test_a_charge_is_never_less_than_the_price(value: float, times: int) -> None:
    prices = priced(ParameterPrice("amount", times, "EUR"))
    try:
        found = estimate(call({"amount": value}), (), 0, prices)
    except Refused:
        return
    assert found is not None
    assert found.money.micros >= value * (times / 10**12) * MICRO * (1 - 1e-12)


REQUESTS: list[tuple[str, Mapping[str, Json], int, int]] = [
    ("openai chat", {"model": "gpt-4o", "messages": [], "max_tokens": 100}, 1000, 100),
    ("openai chat, the newer word", {"model": "gpt-4o", "max_completion_tokens": 7}, 1000, 7),
    ("openai chat, several answers", {"model": "gpt-4o", "max_tokens": 100, "n": 3}, 1000, 300),
    ("openai responses", {"model": "gpt-4o", "input": "hi", "max_output_tokens": 50}, 1000, 50),
    ("openai, no limit of its own", {"model": "gpt-4o", "messages": []}, 1000, 16_384),
    ("openai, a stored turn", {"model": "gpt-4o", "previous_response_id": "r", "max_output_tokens": 1}, 128_000, 1),
    ("openai, a picture fetched", {"model": "gpt-4o", "max_tokens": 1, "messages": [
        {"content": [{"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}]}]}, 128_000, 1),
    ("openai, a picture in the body", {"model": "gpt-4o", "max_tokens": 1, "messages": [
        {"content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]}]}, 1000, 1),
    ("openai, a search", {"model": "gpt-4o", "tools": [{"type": "web_search"}], "max_output_tokens": 1}, 128_000, 1),
    ("anthropic messages", {"model": "small-9", "messages": [], "max_tokens": 9}, 1000, 9),
    ("gemini", {"model": "small-g", "contents": [], "generationConfig": {"maxOutputTokens": 5, "candidateCount": 2}},
     1000, 10),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "body", "put_in", "put_out"), REQUESTS, ids=[row[0] for row in REQUESTS])
def test_a_model_is_reserved_its_body_and_its_longest_answer(
    shape: str, body: Mapping[str, Json], put_in: int, put_out: int
) -> None:
    found = estimate(call(body), (), 1000, priced(LLM))
    assert found is not None and found.tokens is not None
    assert (found.tokens.input, found.tokens.output) == (put_in, put_out)
    price = found.tokens.price
    assert found.money == Money(-(-(price.input * put_in + price.output * put_out) // 10**6), "USD")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"messages": []}, "names no model"),
        ({"model": ["gpt-4o"]}, "names no model"),
        ({"model": "unheard-of", "max_tokens": 1}, "no price is known"),
        ({"model": "small-1"}, "how many tokens the answer has"),
        ({"model": "gpt-4o", "max_tokens": 0}, "no whole number"),
        ({"model": "gpt-4o", "max_tokens": -5}, "no whole number"),
        ({"model": "gpt-4o", "max_tokens": "9"}, "no whole number"),
        ({"model": "gpt-4o", "max_tokens": 10**12}, "no whole number"),
        ({"model": "gpt-4o", "max_tokens": 9.5}, "no whole number"),
        ({"model": "gpt-4o", "max_tokens": 9, "n": True}, "no whole number"),
        ({"model": "small-1", "max_tokens": 9, "previous_response_id": "r"}, "how much the model takes in"),
    ],
)
def test_a_call_of_a_model_whose_cost_has_no_bound_is_refused(body: Mapping[str, Json], problem: str) -> None:
    assert problem in refusal(body, LLM, 1000)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_tokens": 5, "max_completion_tokens": 500},
        {"contents": [], "generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 500}},
        {"contents": [], "generation_config": {"maxOutputTokens": 500, "max_output_tokens": 5}},
        {"contents": [], "generationConfig": {"maxOutputTokens": 5}, "generation_config": {"maxOutputTokens": 500}},
        {"contents": [], "generationConfig": {"max_output_tokens": 500}, "generation_config": {"max_output_tokens": 5}},
        {"contents": [], "generationConfig": {"maxOutputTokens": 5, "candidateCount": 1, "candidate_count": 100}},
        {"contents": [], "generationConfig": {"maxOutputTokens": 5}, "generation_config": {"candidateCount": 100}},
        {"max_tokens": 5, "generationConfig": {"max_output_tokens": 500}},
        {"contents": [], "generationConfig": {"maxOutputTokens": None, "max_output_tokens": 500}},
        {"messages": [], "contents": [], "generationConfig": {"maxOutputTokens": 5}, "max_tokens": 500},
    ],
)
def test_the_larger_of_two_limits_counts_however_they_are_spelt(limits: Mapping[str, Json]) -> None:
    found = estimate(call({"model": "gpt-4o", **limits}), (), 0, priced(LLM))
    assert found is not None and found.tokens is not None and found.tokens.output == 500


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [], "generationConfig": {"maxOutputTokens": 1}},
        {"contents": [], "max_tokens": 1},
        {"contents": [], "max_output_tokens": 1},
        {"messages": [], "contents": [], "generationConfig": {"maxOutputTokens": 1}},
        {"input": "", "contents": [], "generationConfig": {"maxOutputTokens": 1}},
        {"prompt": "", "contents": [], "generation_config": {"max_output_tokens": 1}},
        {"messages": [], "contents": [], "max_tokens": 1},
        {"messages": [], "max_output_tokens": 1},
        {"input": "", "max_tokens": 1},
        {"input": "", "messages": [], "max_tokens": 1},
        {"prompt": "", "max_completion_tokens": 1},
    ],
)
def test_a_limit_in_the_words_of_another_provider_limits_nothing(body: Mapping[str, Json]) -> None:
    found = estimate(call({"model": "gpt-4o", **body}), (), 0, priced(LLM))
    assert found is not None and found.tokens is not None and found.tokens.output == 16_384
    assert "how many tokens the answer has" in refusal({"model": "small-1", **body}, LLM)


def test_a_limit_beside_a_listed_parameter_is_found() -> None:
    listed = (
        Parameter("model", ParameterSource.BODY, "/model", ParameterType.STRING, False, None),
        Parameter("config", ParameterSource.BODY, "/generationConfig", ParameterType.OBJECT, False, None),
    )
    made = call(
        {"model": "gpt-4o", "config": {"maxOutputTokens": 5}},
        besides={"/generation_config": {"max_output_tokens": 500}, "/contents/0": {}},
    )
    found = estimate(made, listed, 0, priced(LLM))
    assert found is not None and found.tokens is not None and found.tokens.output == 500


def test_a_catalogue_that_lists_parameters_is_read_by_their_places() -> None:
    listed = (
        Parameter("which", ParameterSource.BODY, "/model", ParameterType.STRING, False, None),
        Parameter("config", ParameterSource.BODY, "/generationConfig", ParameterType.OBJECT, False, None),
    )
    body: Mapping[str, Json] = {"which": "gpt-4o", "config": {"maxOutputTokens": 3}}
    found = estimate(call(body, besides={"/n": 2, "/contents": []}), listed, 10, priced(LLM))
    assert found is not None and found.tokens is not None and found.tokens.output == 6


def test_a_model_may_be_named_in_the_path() -> None:
    listed = (Parameter("which", ParameterSource.PATH, "model", ParameterType.STRING, False, None),)
    by_path = priced(TokenPrice("{model}", 10))
    for found in (
        estimate(call({"model": "gpt-4o"}), (), 0, by_path),
        estimate(call({"which": "gpt-4o"}), listed, 0, by_path),
    ):
        assert found is not None and found.tokens is not None and found.tokens.output == 10


def test_of_names_that_begin_alike_the_longest_beginning_counts() -> None:
    prices = Prices({}, {"gpt-*": SMALL, "gpt-4*": GPT, "gpt-4o": SMALL})
    assert [prices.of_model(name) for name in ("gpt-4o", "gpt-4.1", "gpt-5", "o3")] == [SMALL, GPT, SMALL, None]
