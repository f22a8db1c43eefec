"""Of which refusals people learn, and where, as documents say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.alert import ALERTING, EVERY_REFUSAL, AlertTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Seconds
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.rules import CompiledDocument
from aegis_authz.policy.language.document import Notify
from aegis_authz.policy.language.limits import seconds_of


def alerts_of(policies: Sequence[CompiledDocument]) -> dict[str, list[AlertTerms]]:
    """The terms of all documents that have some, by scope, shadow documents included: what they see is told."""
    scopes: dict[str, list[AlertTerms]] = {}
    for document in (policy.document for policy in policies):
        if document.notify is not None:
            scopes.setdefault(document.scope, []).append(_terms(document.notify))
    return scopes


def alerts_to_data(scopes: Mapping[str, Sequence[AlertTerms]]) -> dict[str, Json]:
    """The terms as JSON values, for a revision to be named by; nothing on the way of a call reads them."""
    return {scope: sorted(map(_to_data, scopes[scope]), key=canonical) for scope in sorted(scopes)}


def _terms(words: Notify) -> AlertTerms:
    reasons = ALERTING if EVERY_REFUSAL in words.reasons else frozenset(map(Reason, words.reasons))
    return AlertTerms(reasons, tuple(sorted(words.by)), Seconds(seconds_of(words.within)))


def _to_data(terms: AlertTerms) -> dict[str, Json]:
    reasons = sorted(reason.value for reason in terms.reasons)
    return {"reasons": [*reasons], "by": [*terms.places], "within": terms.within}
