"""Endorsements: an authority is believed where one that is trusted says that it follows."""

from __future__ import annotations

import base64
import ssl
import warnings

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
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


def test_the_leaf_of_a_host_endorses_nobody_though_its_key_is_stolen() -> None:
    leaf = FIRST.mint("api.example", NOW)
    key = load_pem_private_key(leaf.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    own = x509.load_pem_x509_certificate(leaf.certificate)
    forged = (
        x509.CertificateBuilder(own.subject, own.subject, key.public_key(), 1)
        .not_valid_before(own.not_valid_before_utc)
        .not_valid_after(own.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    assert authorities_among([forged], NOW) == (forged,)
    assert endorsed([FIRST.certificate], [forged], [leaf.certificate], NOW) == ()


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


DER = x509.load_pem_x509_certificate(STEPS[HELD, WITHIN]).public_bytes(Encoding.DER)


@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), max_size=3))
def test_a_certificate_that_somebody_made_is_read_or_unreadable(changes: list[tuple[int, int]]) -> None:
    content = bytearray(DER)
    for place, value in changes:
        content[place] = value
    pem = b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(content) + b"-----END CERTIFICATE-----\n"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a later release of the reader will refuse
        try:
            answer = endorsed([HELD.certificate], [WITHIN.certificate, pem], [pem], NOW)
        except AuthorityUnreadable:
            return
    assert answer in ((), (WITHIN.certificate,))
