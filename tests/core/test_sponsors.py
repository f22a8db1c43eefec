from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.sponsors import answerable

NAMES = st.sampled_from("abcdef")
SPONSORS = st.dictionaries(NAMES, st.frozensets(NAMES))


def test_whom_nobody_let_in_is_in_their_own_hand() -> None:
    assert answerable({}, "ann") == {"ann"}


def test_hands_are_those_of_who_let_in_whoever_let_one_in() -> None:
    sponsors = {"puppet": {"tenant", "other"}, "tenant": {"org"}}
    assert answerable(sponsors, "puppet") == {"puppet", "tenant", "other", "org"}


@given(SPONSORS, NAMES)
def test_a_person_is_in_the_hands_of_everybody_that_a_sponsor_is_in(
    sponsors: dict[str, frozenset[str]], name: str
) -> None:
    hands = answerable(sponsors, name)
    assert name in hands
    for hand in hands:
        assert answerable(sponsors, hand) <= hands
    assert hands - {name} <= frozenset().union(*sponsors.values())
