"""Which texts an event brings pieces of, whatever was read before it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.redact.event_texts import EventReader

PIECES = st.text('a"\\ é{}:,\n', max_size=6)
EVENTS = st.builds(
    lambda shape, piece, number: shape(piece, number),
    st.sampled_from(
        (
            lambda piece, number: json.dumps({"choices": [{"index": number, "delta": {"content": piece}}]}),
            lambda piece, number: json.dumps({"choices": [{"delta": {"content": piece}, "finish_reason": "stop"}]}),
            lambda piece, number: json.dumps({"type": "x.delta", "item_id": piece, "delta": piece, "index": number}),
            lambda piece, number: json.dumps({"text": piece, "id": number}, ensure_ascii=False),
            lambda piece, number: f'{{"text":"{piece}","id":{number}}}',  # JSON by chance alone
            lambda piece, number: f'{{"text":"{piece}',
            lambda piece, number: json.dumps([piece, {"text": piece}]),
        )
    ),
    PIECES,
    st.integers(0, 2),
).map(str.encode)


@given(st.lists(EVENTS, max_size=12))
def test_an_event_is_read_as_if_it_were_the_first(events: list[bytes]) -> None:
    reader = EventReader()
    for event in events:
        assert reader.read(event) == EventReader().read(event)


@pytest.mark.parametrize(
    ("event", "paths"),
    [
        ({"choices": [{"delta": {"content": "a", "refusal": "b"}}, {"text": "c"}]}, ["content", "refusal", "text"]),
        ({"delta": "a", "content": "b"}, ["delta", "content"]),
        ({"delta": {"text": "a"}}, ["text"]),
        ({"candidates": {"content": "a"}}, []),
        ({"choices": {"*": {"text": "a"}}}, []),
        ({"delta": 1, "text": None}, []),
    ],
)
def test_pieces_stand_where_models_put_them(event: object, paths: list[str]) -> None:
    texts = EventReader().read(json.dumps(event).encode())
    assert texts is not None
    assert [piece.key.path[-1] for piece in texts.pieces] == paths


def test_a_name_may_be_written_in_escapes() -> None:
    texts = EventReader().read(rb'{"\u0064elta":"a"}')
    assert texts is not None
    assert [piece.key.path for piece in texts.pieces] == [("delta",)]


def test_what_is_no_object_and_no_list_brings_nothing() -> None:
    assert [EventReader().read(data) for data in (b"1", b'"a"', b"{", b"x")] == [None] * 4
