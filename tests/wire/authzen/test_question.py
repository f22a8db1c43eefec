"""Whatever is sent to the evaluation endpoint is one question, or is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import CALLERS_FAULTS
from aegis_authz.core.refused import Refused
from aegis_authz.wire.authzen.question import Question, read_question
from tests.support.questions import question, question_document

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PLACES = [
    ("subject",),
    ("resource",),
    ("action",),
    ("context",),
    ("subject", "id"),
    ("resource", "type"),
    ("action", "name"),
]


def read(body: bytes) -> Question:
    return read_question(replace(question("", {}), body=body))


@given(st.binary(max_size=64) | JSON.map(orjson.dumps))
def test_what_is_no_question_is_refused_for_what_it_is(body: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read(body)
    assert caught.value.reason in CALLERS_FAULTS


@given(st.sampled_from(PLACES), JSON)
def test_a_member_of_another_kind_is_never_read_as_what_it_stands_for(place: tuple[str, ...], value: Any) -> None:
    document = question_document("acme/emea/bot", "people", "find", {"name": "Ann"}, "redact")
    *above, last = place
    node = document
    for name in above:
        node = node[name]
    node[last] = value
    try:
        found = read(orjson.dumps(document))
    except Refused as refusal:
        assert refusal.reason in CALLERS_FAULTS
        return
    assert (found.subject, found.tool, found.action) == (
        document["subject"]["id"],
        document["resource"]["id"],
        document["action"]["name"],
    )
    assert found.arguments == document["action"].get("properties", {})
    assert found.applies == frozenset(document["context"].get("obligations", []))


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=3))
def test_members_that_authzen_does_not_define_change_nothing(extension: dict[str, Any]) -> None:
    document = question_document("acme/emea/bot", "people", "find", {"name": "Ann"}, "redact")
    plain = read(orjson.dumps(document))
    try:
        extended = read(orjson.dumps({**{f"x-{name}": value for name, value in extension.items()}, **document}))
    except Refused as refusal:
        assert refusal.reason in CALLERS_FAULTS  # two names that differ in case alone
        return
    assert extended == plain
