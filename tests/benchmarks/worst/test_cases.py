"""A dear input is what it says, and plain JSON beside it is as long as it is."""

from __future__ import annotations

from functools import partial

import pytest

from aegis_authz.core.catalogue import BodyFormat
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.redact import bodies as filters
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.wire.bodies.coding import CODINGS
from benchmarks.worst import bodies, calls, codings, redaction
from benchmarks.worst.cases import KIB, SIZES, Case, Kind, cost, is_taken, joined, microseconds, plain_json
from tests.support.work import calls_made

UNREAD = {"BodyFilter", "EmptyBody", "OpaqueBody"}
"""Filters that look at nothing: the shape of all, and those that refuse or pass a body as it is."""
CASES = [*bodies.cases(), *calls.cases(), *codings.cases()]


MOST_CALLS = {
    "json": 9_000,
    "form": 12_000,
    "multipart": 5_000,
    "ndjson": 11_000,
    "text": 300,
    "binary": 300,
    "graphql": 110_000,
    "grpc": 30_000,
    "query": 20_000,
    "parameters": 14_000,
    "MCP": 1_500,
}
"""Calls and returns of functions for a KiB: some more than the dearest input of each reader takes."""

MOST_CALLS_OF_FILTERS = {
    "JsonBody": 10_000,
    "TextBody": 8_000,
    "FormBody": 800,
    "LineBody": 24_000,
    "MixedBody": 6_000,
    "LineStream": 16_000,
    "EventStream": 13_000,
}
"""The same of filters, for what is as long as a packet: more comes together from no tool that answers in pieces."""


def _refused() -> object:
    raise Refused(Reason.MALFORMED_CALL, "never")


def case(taken: bool, size: int = KIB) -> Case:
    return Case(Kind.BODY, "json", "a shape", size, size, dict if taken else _refused, taken=taken)


def test_every_format_of_bodies_has_dear_inputs() -> None:
    assert {entry.subject for entry in bodies.cases()} == {body_format.value for body_format in BodyFormat}
    assert bodies.SHAPES.keys() == set(BodyFormat)


def test_every_content_coding_has_dear_inputs() -> None:
    assert codings.ENCODINGS.keys() == CODINGS.keys()


def test_every_detector_has_dear_inputs() -> None:
    assert redaction.NEAR.keys() == {*DETECTORS, redaction.OWN}


def test_every_filter_that_looks_at_bodies_has_dear_inputs() -> None:
    classes = {kind for kind in vars(filters).values() if isinstance(kind, type) and hasattr(kind, "finish")}
    own = {kind.__name__ for kind in classes if kind.__module__ == filters.__name__}
    looking = {name for name in own if not name.startswith("_")} - UNREAD
    assert {kind.__name__ for kind in redaction.FILTERS} == looking


@pytest.mark.parametrize("entry", CASES, ids=lambda entry: f"{entry.subject}-{entry.shape}-{entry.size}")
def test_an_input_is_read_or_refused_as_it_says(entry: Case) -> None:
    assert is_taken(entry) is entry.taken


@pytest.mark.parametrize("subject", MOST_CALLS)
def test_no_input_takes_more_calls_of_functions_than_its_reader_is_known_to(subject: str) -> None:
    inputs = [entry for entry in CASES if entry.subject == subject and entry.kind is not Kind.CODING]
    for entry in inputs:
        entry.forget()
        assert calls_made(partial(is_taken, entry)) * KIB / entry.size < MOST_CALLS[subject], entry.shape


def test_every_reader_of_calls_is_held_to_a_number_of_calls_of_functions() -> None:
    assert MOST_CALLS.keys() == {entry.subject for entry in CASES if entry.kind is not Kind.CODING}


def test_a_text_of_redaction_is_read_whatever_looks_at_it() -> None:
    shortest = {(entry.subject, entry.shape): entry for entry in redaction.cases() if entry.size <= KIB}
    assert all(is_taken(entry) for entry in shortest.values())


@pytest.mark.parametrize("subject", MOST_CALLS_OF_FILTERS)
def test_no_body_takes_more_calls_of_functions_than_its_filter_is_known_to(subject: str) -> None:
    bodies_of = [entry for entry in redaction.cases() if entry.subject == subject and entry.size <= KIB]
    assert bodies_of
    for entry in bodies_of:
        entry.read()  # what is compiled at first is no part of it
        assert calls_made(entry.read) * KIB / entry.size < MOST_CALLS_OF_FILTERS[subject], entry.shape


def test_every_filter_is_held_to_a_number_of_calls_of_functions() -> None:
    assert MOST_CALLS_OF_FILTERS.keys() == {kind.__name__ for kind in redaction.FILTERS}


def test_an_input_that_is_not_what_it_says_is_not_measured() -> None:
    wrong = Case(Kind.BODY, "json", "a shape", KIB, KIB, _refused)
    with pytest.raises(ValueError, match="json, a shape, 1024 bytes: taken is not True"):
        microseconds(wrong, 1)


@pytest.mark.parametrize("size", [100, *SIZES[:2]])
def test_plain_json_is_as_long_as_the_input_it_is_compared_with(size: int) -> None:
    text = plain_json(size)
    assert size - 120 < len(text) <= max(size, 101)
    assert strict_json.parse(text)


def test_multiples_are_of_each_kib_as_it_is_read_and_as_it_was_sent() -> None:
    spent = cost(case(taken=False, size=2 * KIB), 1)
    assert spent.microseconds >= 0
    assert spent.for_kib == pytest.approx(spent.microseconds / 2)
    assert spent.times_wire == pytest.approx(spent.times)


def test_a_text_has_as_many_units_as_fit_and_no_more_than_may_be() -> None:
    text = joined("[", lambda number: f"{number}", "]", 4)
    assert text(6) == b"[0,1]"
    assert text(100) == b"[0,1,2,3]"
