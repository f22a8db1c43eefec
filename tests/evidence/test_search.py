"""What may be sought in the records, and where a page ends."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.person import WHOLE_MESH, Domain
from aegis_authz.evidence.search import EVERY_RECORD, RecordPlace, sees_all


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("kind", "outcome", "kind: must be decision or approval"),
        ("effect", "block", "effect: must be one of allow, sanitize, approval_needed, deny"),
        ("reason", "denied", "reason: must be a code"),
        ("tenant", "acme", "tenant: must be org/tenant"),
        ("tenant", "acme/*", "tenant: must be org/tenant"),
        ("agent", "a" * 257, "at most 256 characters"),
        ("since", math.nan, "must be times"),
    ],
)
def test_what_no_record_can_be_is_refused_with_what_it_may_be(member: str, value: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(EVERY_RECORD, **{member: value})  # type: ignore[arg-type]  # as the case says


@given(st.floats(min_value=0, max_value=1e12), st.integers(1, 10**9))
def test_a_place_reads_back_as_it_was(time: float, line: int) -> None:
    place = RecordPlace(time, "authz-0", "00000001.jsonl", line)
    assert RecordPlace.parse(str(place)) == place


@given(st.text(max_size=60))
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no place|convert"):
        RecordPlace.parse(text)


@pytest.mark.parametrize("text", ["1e999~w~00000001.jsonl~1", "..~w~00000001.jsonl~1", "1.0~../x~00000001.jsonl~1"])
def test_a_place_that_only_looks_like_one_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no place|convert"):
        RecordPlace.parse(text)


def test_only_who_reads_in_the_whole_mesh_sees_what_belongs_to_no_tenant() -> None:
    assert sees_all([Domain.parse("acme"), WHOLE_MESH])
    assert not sees_all([Domain.parse("acme")])
    assert not sees_all([])
