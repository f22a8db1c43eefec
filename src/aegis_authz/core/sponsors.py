"""Who answers for whom: the means to sign in that somebody was given are in the hand of who gave them."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def answerable(sponsors: Mapping[str, Collection[str]], person_id: str) -> frozenset[str]:
    """In whose hands a person is: their own, those of their sponsors, and of theirs in turn."""
    hands: set[str] = set()
    rest = [person_id]
    while rest:
        hand = rest.pop()
        if hand not in hands:
            hands.add(hand)
            rest += sponsors.get(hand, ())
    return frozenset(hands)
