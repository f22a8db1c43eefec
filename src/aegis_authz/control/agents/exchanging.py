"""Exchanging: the token of another issuer, looked up by whose it is, verified by that issuer's keys (RFC 8693)."""

from __future__ import annotations

import logging
from collections.abc import Callable

from aegis_authz.control.keys.trusted_keys import TrustedKeys
from aegis_authz.control.policies.directory import Directory
from aegis_authz.control.throttle import Throttle
from aegis_authz.core.address import network_of
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.exchange import (
    SUBJECT_TYPES,
    VerifiedSubject,
    read_foreign_token,
    reviewed_subject,
    verified_subject,
)
from aegis_authz.identity.issuance import Denial, NotIssued
from aegis_authz.ports.control_plane import ReviewUnavailable, TokenReviews
from aegis_authz.ports.data_plane import Clock

_log = logging.getLogger(__name__)
_REVIEW_RATE, _REVIEW_BURST = 2.0, 20
"""How often one source may have a cluster asked: 600 workloads behind one address renew in the life of a token."""


class Exchanger:
    """Says whom a token of another issuer stands for."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        keys: TrustedKeys,
        reviews: TokenReviews,
        clock_skew: Seconds,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._keys = keys
        self._reviews = reviews
        self._clock_skew = clock_skew
        self._clock = clock
        self._reviewers = Throttle(_REVIEW_RATE, _REVIEW_BURST)

    async def subject(self, text: str, kind: str, source: str, now: Epoch) -> VerifiedSubject:
        """Whom it stands for; nothing of it is spent yet. `source` is the address that asks. Raises NotIssued."""
        if kind not in SUBJECT_TYPES:
            raise NotIssued(Denial.SUBJECT_TYPE)
        token = read_foreign_token(text, self._directory().trusts)
        issuer = token.issuer
        if issuer.review:
            # each question is a request to the cluster's API server, whatever the token is worth
            if not self._reviewers.admits(network_of(source), self._clock.monotonic()):
                raise NotIssued(Denial.RATE, f"{issuer.name}: reviews")
            try:
                user = await self._reviews.user(issuer.review, text, issuer.audience)
            except ReviewUnavailable as fault:
                _log.warning("a cluster cannot be asked about a token: %s", fault)
                raise NotIssued(Denial.SUBJECT_REVIEW_DOWN, f"{issuer.name}: {fault}") from None
            return reviewed_subject(token, user, now, self._clock_skew)
        keys = await self._keys.of(token.issuer, token.kid)
        return verified_subject(token, keys, now, self._clock_skew)
