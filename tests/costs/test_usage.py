"""The usage that language models tell: found in JSON and in event streams, and disbelieved where it cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.money import Money
from aegis_authz.core.price import ModelPrice
from aegis_authz.costs.estimate import TokenTerms
from aegis_authz.costs.usage import MOST_JSON, Usage, UsageReader, measured

TERMS = TokenTerms(ModelPrice("USD", 2_500_000, 1_250_000, 3_000_000, 10_000_000, 1000, 500), 200, 100)

ANSWERS: list[tuple[str, Any, Usage]] = [
    ("openai chat", {"choices": [], "usage": {
        "prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107,
        "prompt_tokens_details": {"cached_tokens": 40, "audio_tokens": 0}}}, Usage(60, 40, 0, 7)),
    ("openai responses", {"output": [], "usage": {
        "input_tokens": 100, "output_tokens": 9, "input_tokens_details": {"cached_tokens": 0}}}, Usage(100, 0, 0, 9)),
    ("anthropic", {"content": [], "usage": {
        "input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30, "output_tokens": 4}},
     Usage(10, 30, 20, 4)),
    ("gemini", {"candidates": [], "usageMetadata": {
        "promptTokenCount": 50, "candidatesTokenCount": 5, "thoughtsTokenCount": 6, "cachedContentTokenCount": 8}},
     Usage(42, 8, 0, 11)),
    ("gemini, a list of parts", [{"usageMetadata": {"promptTokenCount": 50}},
                                 {"usageMetadata": {"promptTokenCount": 50, "candidatesTokenCount": 5}}],
     Usage(50, 0, 0, 5)),
]  # fmt: skip

STREAMS: list[tuple[str, list[Any], Usage]] = [
    ("openai chat", [
        {"choices": [{"delta": {"content": "the usage of words"}}], "usage": None},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}, "[DONE]"], Usage(3, 0, 0, 2)),
    ("openai responses", [
        {"type": "response.created", "response": {"usage": None}},
        {"type": "response.completed", "response": {"usage": {
            "input_tokens": 3, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 2}}}], Usage(2, 1, 0, 2)),
    ("anthropic", [
        {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}},
        {"type": "content_block_delta", "delta": {"text": "hi"}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 15}},
        {"type": "message_stop"}], Usage(25, 0, 0, 15)),
    ("gemini", [
        {"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1}},
        {"usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 9}}], Usage(4, 0, 0, 9)),
]  # fmt: skip


def read(data: bytes, is_events: bool, size: int = 7) -> Usage | None:
    """Fed in pieces of some bytes."""
    reader = UsageReader(is_events)
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.finish()


def events(*texts: Any, newline: str = "\n") -> bytes:
    lines = [text if isinstance(text, str) else json.dumps(text) for text in texts]
    return "".join(f"event: x{newline}data: {line}{newline}{newline}" for line in lines).encode()


@pytest.mark.parametrize(("shape", "answer", "usage"), ANSWERS, ids=[row[0] for row in ANSWERS])
def test_the_usage_of_an_answer_is_found(shape: str, answer: Any, usage: Usage) -> None:
    assert read(json.dumps(answer).encode(), False) == usage


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(("shape", "parts", "usage"), STREAMS, ids=[row[0] for row in STREAMS])
def test_the_usage_of_a_stream_is_found(shape: str, parts: list[Any], usage: Usage, newline: str) -> None:
    assert read(events(*parts, newline=newline), True) == usage


@pytest.mark.parametrize(
    "usage",
    [
        None, {}, [], "many", {"prompt_tokens": 3}, {"prompt_tokens": -1, "completion_tokens": 2},
        {"prompt_tokens": 1.5, "completion_tokens": 2}, {"prompt_tokens": "3", "completion_tokens": 2},
        {"prompt_tokens": True, "completion_tokens": 2}, {"prompt_tokens": 10**18, "completion_tokens": 2},
        {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    ],
)  # fmt: skip
def test_a_usage_that_is_none_is_not_believed(usage: Any) -> None:
    assert read(json.dumps({"usage": usage}).encode(), False) is None


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    reader = UsageReader(is_events=False)
    for _ in range(MOST_JSON // 65536 + 2):
        reader.feed(bytes(65536))
    assert reader.is_lost
    assert reader.finish() is None


SPENT = {"prompt_tokens": 3, "completion_tokens": 2}


@pytest.mark.parametrize(
    "content", [[0] * 30_000, {str(number): {} for number in range(13_000)}, json.loads("[" * 70 + "]" * 70)]
)
def test_an_answer_of_too_many_values_is_not_read(content: Any) -> None:
    answer = {"choices": content, "usage": SPENT}
    assert read(json.dumps(answer).encode(), False, 65_536) is None
    # an earlier word of a stream is not the last one
    assert read(events({"usage": SPENT}, answer), True, 65_536) is None
    assert read(events(answer, {"usage": SPENT}), True, 65_536) is None


def test_a_usage_that_cannot_be_read_is_not_made_up_for_by_an_earlier_one() -> None:
    broken = b'data: {"usage": {"prompt_tokens": 3, "completion_tokens": 900}\n\n'
    assert read(events({"usage": SPENT}) + broken, True, 65_536) is None
    assert read(broken + events({"usage": SPENT}), True, 65_536) is None


def test_what_is_no_usage_in_an_answer_of_many_texts_costs_nothing() -> None:
    answer = {"choices": ["[,{" * 1000] * 20, "usage": SPENT}
    assert read(json.dumps(answer).encode(), False, 65_536) == Usage(3, 0, 0, 2)


@given(st.binary(max_size=300), st.booleans(), st.integers(1, 9))
def test_any_bytes_are_read_without_a_fault(data: bytes, is_events: bool, size: int) -> None:
    read(data + b'data: {"usage":', is_events, size)


def test_a_call_costs_what_it_used() -> None:
    cost = measured(Usage(60, 40, 10, 7), TERMS)
    assert cost == Money(-(-(60 * 2_500_000 + 40 * 1_250_000 + 10 * 3_000_000 + 7 * 10_000_000) // 10**6), "USD")


@pytest.mark.parametrize("usage", [Usage(0, 0, 0, 101), Usage(900, 100, 1, 1)])
def test_a_usage_beyond_what_the_call_allowed_is_not_believed(usage: Usage) -> None:
    assert measured(usage, TERMS) is None


def test_where_the_model_is_not_known_no_more_is_put_in_than_the_call_holds() -> None:
    unknown = replace(TERMS, price=replace(TERMS.price, context=None))
    assert measured(Usage(201, 0, 0, 1), unknown) is None
    assert measured(Usage(200, 0, 0, 1), unknown) is not None
