"""No body costs more than a bounded number of steps a byte: the worst that was met, and a search for worse.

What a search meets beyond the bound belongs in the rows of `worst_bodies.WORST`, and the engine mended.
"""

from __future__ import annotations

import json
import re
import time
import tracemalloc
from typing import Any

import pytest

from aegis_authz.core.decision import Redact, Target
from aegis_authz.redact import redactor
from aegis_authz.redact.bodies import LineStream
from aegis_authz.redact.detectors import credentials
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.sanitizer import Sanitizer, unhurried
from tests.redact.worst_bodies import DENSEST, WORST, Genome, calls, search

SIZE = 8 * 1024
MOST_CALLS = 8_000
"""Calls of functions for a KiB."""

MOST_CALLS_OF_VALUES = 16_000
"""For a KiB of values alone: 170 addresses of six bytes, in six readings of a text, with sixteen calls or so in each.

A search that is long enough always comes to such bodies.
"""

MOST_CALLS_OF_AN_EVENT = 250
"""Of functions for an event with a piece of a text; each of its members read anew for every path took 1,500."""

MOST_MEMORY = 32
"""Bytes for each of a body: the objects of this one, remembered, took 44."""

MOST_GROWTH = 4.4
"""Times as many calls for four times the body."""

WIDEST = 41_000
"""Bytes that a form of a secret may look at from its head on: a token of three parts of 8 KiB; a private key more."""


def finder(is_loose: bool = True) -> Finder:
    engine = Finder(DETECTORS, is_loose=is_loose, tick=unhurried)
    engine.find(Genome(("\uff11&#49;",)).body(100))
    return engine


def calls_a_kibibyte(genome: Genome, size: int, engine: Finder) -> float:
    body = genome.body(size)
    return calls(lambda: engine.find(body)) * 1024 / size


@pytest.mark.parametrize("genome", WORST, ids=repr)
def test_the_worst_that_was_met_takes_a_bounded_number_of_calls(genome: Genome) -> None:
    short = calls_a_kibibyte(genome, SIZE, finder())
    long = calls_a_kibibyte(genome, 4 * SIZE, finder())
    assert long < MOST_CALLS
    assert 4 * long < MOST_GROWTH * short + 100


@pytest.mark.parametrize("genome", DENSEST, ids=repr)
def test_values_that_stand_close_take_a_bounded_number_of_calls(genome: Genome) -> None:
    short, long = calls_a_kibibyte(genome, SIZE, finder()), calls_a_kibibyte(genome, 4 * SIZE, finder())
    assert long < MOST_CALLS_OF_VALUES
    assert 4 * long < MOST_GROWTH * short + 100


def test_an_event_of_a_stream_is_read_once_however_many_places_are_looked_at() -> None:
    # numbered, for an event as the one before it but for its piece is not read at all
    events = b"".join(b'{"n":%d,"choices":[{"delta":{"content":"a word "}}]}\n' % number for number in range(100))

    def shown() -> None:
        redact = Redact(Target.RESPONSE, tuple(DETECTORS), ())
        stream = LineStream(Sanitizer((redact,), Target.RESPONSE, False, None))
        stream.feed(events)
        stream.finish()

    shown()
    assert calls(shown) / 100 < MOST_CALLS_OF_AN_EVENT


@pytest.mark.parametrize("content", ["a ", "a@b.co "])
def test_an_event_of_many_pieces_of_a_text_costs_what_its_length_does(content: str) -> None:
    def calls_of(pieces: int) -> int:
        piece = {"index": 0, "delta": {"content": content}, "finish_reason": "stop"}
        event = json.dumps({"choices": [piece] * pieces}).encode() + b"\n"
        redact = Redact(Target.RESPONSE, tuple(DETECTORS), ())
        stream = LineStream(Sanitizer((redact,), Target.RESPONSE, False, None))
        return calls(lambda: stream.feed(event))

    calls_of(1)
    assert calls_of(400) < MOST_GROWTH * calls_of(100)


class Counted(bytes):
    """Counts the bytes that are cut out of it, or searched backwards."""

    looked_at = 0

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        self.looked_at += len(part) if isinstance(part, bytes) else 1
        return part

    def rfind(self, part: Any, start: Any = 0, end: Any = None) -> int:
        place = super().rfind(part, start, end)
        self.looked_at += (len(self) if end is None else end) - max(start, place)
        return place


def test_a_string_of_many_values_is_read_as_often_as_one_of_a_few() -> None:
    text = b'{"a":"' + b"a@b.co " * 1000 + b'"}'
    data = Counted(text)
    Sanitizer((Redact(Target.RESPONSE, ("email",), ()),), Target.RESPONSE, False, None).json(data)
    assert data.looked_at < 40 * len(text)
    strings = redactor._Strings(text)
    strings._quotes = Counted(strings._quotes)
    places = [strings.around(place, place + 6) for place in range(6, len(text) - 8, 7)]
    assert set(places) == {(6, len(text) - 2)}
    assert strings._quotes.looked_at < 40


def test_no_object_of_a_body_is_remembered_after_it_was_looked_at() -> None:
    body = b"[" + b",".join([b'{"a":1}'] * 30_000) + b"]"
    cleaner = Sanitizer((Redact(Target.RESPONSE, (), ("/*/b",)),), Target.RESPONSE, False, None)
    tracemalloc.start()
    try:
        cleaner.json(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_MEMORY * len(body)


@pytest.mark.parametrize("is_loose", [False, True], ids=["strict", "loose"])
@pytest.mark.parametrize(
    ("rounds", "size", "most"),
    [(120, 2048, MOST_CALLS), pytest.param(4000, SIZE, MOST_CALLS_OF_VALUES, marks=pytest.mark.slow)],
    ids=["short", "long"],
)
def test_a_search_meets_no_body_that_takes_more_calls(is_loose: bool, rounds: int, size: int, most: int) -> None:
    engine = finder(is_loose)
    worst = search(lambda genome: calls_a_kibibyte(genome, size, engine), rounds, seed=size)
    assert [(figure, genome) for figure, genome in worst if figure > most] == []
    for figure, genome in worst[:5]:
        assert 4 * calls_a_kibibyte(genome, 4 * size, engine) < MOST_GROWTH * figure + 100, genome


def test_no_form_of_a_secret_looks_at_a_text_without_end() -> None:
    for form in credentials.FORMS:
        width = re._parser.parse(form.tail).getwidth()[1]  # type: ignore[attr-defined]  # private; nothing else tells
        assert width < WIDEST or "PRIVATE KEY" in form.tail, form.head


@pytest.mark.slow
@pytest.mark.parametrize("is_loose", [False, True], ids=["strict", "loose"])
def test_time_grows_with_the_length_alone(is_loose: bool) -> None:
    # the steps inside one expression are no calls: what takes longest is tried at sixteen times the length
    engine = finder(is_loose)

    def seconds(genome: Genome, size: int) -> float:
        body = genome.body(size)
        before = time.thread_time()
        engine.find(body)
        return (time.thread_time() - before) / size

    worst = search(lambda genome: seconds(genome, SIZE), 1500, seed=11)
    for genome in (*WORST, *(genome for _, genome in worst[:8])):
        short = min(seconds(genome, SIZE) for _ in range(3))
        long = min(seconds(genome, 16 * SIZE) for _ in range(2))
        assert long < 3 * short + 5e-8, genome
