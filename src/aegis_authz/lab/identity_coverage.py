"""Which entries of trust documents the tests of identity have put to the test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aegis_authz.core.units import Seconds
from aegis_authz.identity.exchange import subject_of_claims
from aegis_authz.identity.issuance import NotIssued
from aegis_authz.lab.coverage import Coverage, Gap
from aegis_authz.lab.identity_cases import IdentityCase, claims_of
from aegis_authz.lab.identity_trial import TRIED_AT
from aegis_authz.policy.compile.identities import Identities, LoadedTrust


def identity_coverage(identities: Identities, cases: Sequence[IdentityCase]) -> list[Coverage]:
    """How much of each trust document was tried: an entry is, by a token that stands for its agent."""
    reached = set(_entries(identities, cases))
    return [_covered(loaded, reached) for loaded in identities.trusts]


def _entries(identities: Identities, cases: Sequence[IdentityCase]) -> Iterator[tuple[str, int]]:
    issuers = identities.issuers()
    for case in cases:
        if case.written.trust is None:
            continue
        claims = claims_of(case.written, identities, TRIED_AT)
        try:
            issuer = subject_of_claims(claims, issuers, TRIED_AT, Seconds(0.0)).issuer
        except NotIssued:
            continue
        yield issuer.name, next(place for place, rule in enumerate(issuer.rules) if rule.matches(claims))


def _covered(loaded: LoadedTrust, reached: set[tuple[str, int]]) -> Coverage:
    name, entries = loaded.document.trust, range(len(loaded.document.subjects))
    missing = [place for place in entries if (name, place) not in reached]
    gaps = tuple(
        Gap(
            loaded.source.path,
            loaded.source.problem(("subjects", place), "").line,
            f"subjects[{place}]",
            "no test's token stands for this agent",
        )
        for place in missing
    )
    return Coverage(f"trust {name}", len(entries), len(entries) - len(missing), 0, 0, gaps)
