"""How many tokens a language model says that a call took, read beside its answer as it passes.

Sources: OpenAI API reference, chat completions and responses (`usage`); Anthropic API reference, messages and
streaming (`usage`, `message_start`, `message_delta`); Gemini API reference, GenerateContentResponse (`usageMetadata`);
WHATWG HTML, server-sent events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.price import MOST_TOKENS
from aegis_authz.costs.estimate import TokenTerms, cost_of_tokens
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.json_outline import Outline

MOST_JSON = 4 * 1024 * 1024
"""Bytes of a JSON answer, and of one line of an event stream, beyond which no usage is looked for."""
_WORD = b"sage"  # of usage and Usage: parsing every event of a stream would cost more than the stream
_PLACES = ("message", "response")


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens: put in, cached and cache-written ones not among them, and put out."""

    input: int
    cached: int
    cache_write: int
    output: int


class UsageReader:
    """Looks for the usage in an answer, JSON or server-sent events, as its bytes come; raises for none of them."""

    def __init__(self, is_events: bool) -> None:
        self._is_events = is_events
        self._rest = bytearray()
        self._members: dict[str, Json] = {}
        self.is_lost = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes. After `is_lost` none are needed."""
        if self.is_lost:
            return
        self._rest += data
        if self._is_events and (b"\n" in data or b"\r" in data):
            *lines, last = bytes(self._rest).replace(b"\r", b"\n").split(b"\n")
            self._rest = bytearray(last)
            for line in lines:
                self._take_line(line)
        if len(self._rest) > MOST_JSON:
            self.is_lost = True
            self._rest.clear()

    def finish(self) -> Usage | None:
        """What was found once the answer is over; None where there is no usage, or one that cannot be."""
        if self.is_lost:
            return None
        if self._is_events:
            self._take_line(bytes(self._rest))
        else:
            self._take(bytes(self._rest))
        return None if self.is_lost else _usage(self._members)

    def _take_line(self, line: bytes) -> None:
        if line.startswith(b"data:"):
            self._take(line[5:])

    def _take(self, text: bytes) -> None:
        if _WORD not in text:
            return
        # what an event left out might have corrected: no usage is better than an earlier, smaller one
        if _is_excessive(text):
            self.is_lost = True
            return
        try:
            event = orjson.loads(text)
        except orjson.JSONDecodeError:
            self.is_lost = True
            return
        for usage in _usages(event):
            # of a stream the last word counts: each event says what it is so far
            self._members.update({name: value for name, value in usage.items() if value is not None})


def _is_excessive(text: bytes) -> bool:
    """Whether a JSON text has more values, or is deeper, than one of a request may be."""
    outline = Outline(text)
    return outline.values > strict_json.MAX_VALUES or outline.depth > strict_json.MAX_DEPTH


def _usages(event: Json) -> Iterator[Mapping[str, Json]]:
    for part in event if isinstance(event, list) else (event,):
        if isinstance(part, Mapping):
            nested = (part.get(place) for place in _PLACES)
            for holder in (part, *(holder for holder in nested if isinstance(holder, Mapping))):
                for name in ("usage", "usageMetadata"):
                    usage = holder.get(name)
                    if isinstance(usage, Mapping):
                        yield usage


def _usage(members: Mapping[str, Json]) -> Usage | None:
    try:
        if "promptTokenCount" in members:
            cached = _count(members, "cachedContentTokenCount", 0)
            put_in = _count(members, "promptTokenCount") + _count(members, "toolUsePromptTokenCount", 0)
            put_out = _count(members, "candidatesTokenCount", 0) + _count(members, "thoughtsTokenCount", 0)
            return _without_cached(put_in, cached, put_out)
        if "prompt_tokens" in members:
            cached = _detail(members, "prompt_tokens_details")
            return _without_cached(_count(members, "prompt_tokens"), cached, _count(members, "completion_tokens"))
        if "input_tokens_details" in members:
            cached = _detail(members, "input_tokens_details")
            return _without_cached(_count(members, "input_tokens"), cached, _count(members, "output_tokens"))
        return Usage(
            _count(members, "input_tokens"),
            _count(members, "cache_read_input_tokens", 0),
            _count(members, "cache_creation_input_tokens", 0),
            _count(members, "output_tokens"),
        )
    except ValueError:
        return None


def _without_cached(put_in: int, cached: int, put_out: int) -> Usage:
    if cached > put_in:
        raise ValueError("more from the cache than at all")
    return Usage(put_in - cached, cached, 0, put_out)


def _detail(members: Mapping[str, Json], name: str) -> int:
    details = members.get(name)
    return _count(details, "cached_tokens", 0) if isinstance(details, Mapping) else 0


def _count(members: Mapping[str, Json], name: str, otherwise: int | None = None) -> int:
    number = members.get(name, otherwise)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MOST_TOKENS:
        raise ValueError(f"{name} is no number of tokens")
    return number


def measured(usage: Usage, terms: TokenTerms) -> Money | None:
    """What a call costs by its usage; None for a usage that cannot be, beside which the estimate stands.

    No answer is longer than what the call let it be, and nothing is put in that the call does not hold, but for what it
    refers to, and then no more than the model takes.
    """
    price = terms.price
    most = max(terms.input, price.context or 0)
    if usage.output > terms.output or usage.input + usage.cached + usage.cache_write > most:
        return None
    pairs = (price.input, usage.input, price.cached, usage.cached, price.cache_write, usage.cache_write)
    return Money(cost_of_tokens(*pairs, price.output, usage.output), price.currency)
