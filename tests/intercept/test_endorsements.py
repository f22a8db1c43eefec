"""Endorsements: an authority is believed where one that is trusted says that it follows."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import AUTHORITY_LIFE, Authority, AuthorityUnreadable, new_authority
from aegis_authz.intercept.endorsements import MOST_CERTIFICATES, authorities_among, endorsed, fingerprint_of

NOW = Epoch(1_772_000_000.0)
FIRST, SECOND, THIRD = new_authority(NOW), new_authority(NOW), new_authority(NOW)
HELD, WITHIN = new_authority(NOW, ("a.example",)), new_authority(NOW, ("b.a.example",))
STEPS = {
    (giver, taker): giver.endorse(taker, NOW)
    for giver in (FIRST, SECOND, THIRD, HELD, WITHIN)
    for taker in (FIRST, SECOND, THIRD, HELD, WITHIN)
}


def believed(trusted: Authority, *offered: Authority, by: tuple[tuple[Authority, Authority], ...]) -> list[Authority]:
    steps = [STEPS[step] for step in by]
    answer = endorsed([trusted.certificate], [one.certificate for one in offered], steps, NOW)
    return [one for one in offered if one.certificate in answer]


def test_what_is_trusted_stays_and_what_follows_it_is_believed() -> None:
    assert believed(FIRST, FIRST, SECOND, by=()) == [FIRST]
    assert believed(FIRST, FIRST, SECOND, by=((FIRST, SECOND),)) == [FIRST, SECOND]
    assert believed(FIRST, SECOND, by=((SECOND, FIRST), (THIRD, SECOND))) == []


def test_who_was_away_for_two_rotations_follows_both() -> None:
    assert believed(FIRST, THIRD, by=((SECOND, THIRD), (FIRST, SECOND))) == [THIRD]
    assert believed(FIRST, THIRD, by=((SECOND, THIRD),)) == []


def test_one_that_is_held_to_domains_endorses_none_that_is_held_to_less() -> None:
    assert believed(HELD, FIRST, by=((HELD, FIRST),)) == []
    assert believed(HELD, WITHIN, by=((HELD, WITHIN),)) == [WITHIN]
    assert believed(WITHIN, HELD, by=((WITHIN, HELD),)) == []
    assert believed(FIRST, FIRST, HELD, by=((FIRST, HELD),)) == [FIRST, HELD]


def test_an_endorsement_is_none_of_an_authority_and_ends_with_who_gave_it() -> None:
    step = STEPS[FIRST, SECOND]
    assert authorities_among([step, SECOND.certificate], NOW) == (SECOND.certificate,)
    assert endorsed([FIRST.certificate], [step], [step], NOW) == ()
    after = Epoch(NOW + AUTHORITY_LIFE + 1)
    assert endorsed([FIRST.certificate], [new_authority(after).certificate], [step], after) == ()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=SECOND.certificate.decode())
    assert fingerprint_of(SECOND.certificate) == SECOND.fingerprint


def test_what_is_no_certificate_or_too_many_is_unreadable() -> None:
    with pytest.raises(AuthorityUnreadable):
        endorsed([b"x"], [], [], NOW)
    with pytest.raises(AuthorityUnreadable):
        authorities_among([FIRST.certificate] * (MOST_CERTIFICATES + 1), NOW)


@given(st.lists(st.sampled_from(sorted(STEPS, key=lambda step: str(step))), max_size=8))
def test_nothing_is_believed_that_no_chain_of_endorsements_leads_to(steps: list[tuple[Authority, Authority]]) -> None:
    reached, moved = {FIRST}, True
    while moved:
        more = {
            taker
            for giver, taker in steps
            if giver in reached and (not giver.names or (giver is HELD and taker is WITHIN) or giver is taker)
        }
        moved = not more <= reached
        reached |= more
    everyone = (FIRST, SECOND, THIRD, HELD, WITHIN)
    assert believed(FIRST, *everyone, by=tuple(steps)) == [one for one in everyone if one in reached]
