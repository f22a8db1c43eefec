"""Places of a text after edits, as a look at each edit for each of them would say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.redact.edits import Places, moved
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement

SPANS = st.tuples(st.integers(0, 12), st.integers(0, 4)).map(lambda pair: (pair[0], pair[0] + pair[1]))
EDITS = st.builds(lambda span, shown: Replacement(*span, shown), SPANS, st.sampled_from([b"", b"a", b"[REDACTED:x]"]))


def moved_by_each(spans: list[Span], edits: list[Replacement]) -> list[Span]:
    places: list[Span] = []
    for start, end in spans:
        shift = growth = 0
        is_whole = True
        for edit in edits:
            more = len(edit.shown) - (edit.end - edit.start)
            if start <= edit.start and edit.end <= end:
                growth += more
            elif edit.end <= start:
                shift += more
            elif edit.start < end:
                is_whole = False
        if is_whole:
            places.append((start + shift, end + shift + growth))
    return places


@given(st.lists(SPANS, max_size=6), st.lists(EDITS, max_size=6))
def test_a_span_moves_as_every_edit_says(spans: list[Span], edits: list[Replacement]) -> None:
    assert moved(spans, edits) == moved_by_each(spans, edits)


@given(st.lists(SPANS, max_size=6), SPANS)
def test_a_span_meets_places_where_it_meets_one_of_them(spans: list[Span], span: Span) -> None:
    start, end = span
    assert Places(spans).meet(start, end) is any(start < stop and begin < end for begin, stop in spans)
