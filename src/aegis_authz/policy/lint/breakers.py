"""Lints of breakers: those that never quarantine anybody."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.core.breaker import Breaker
from aegis_authz.core.units import Millis
from aegis_authz.policy.compile.limits import breakers_of
from aegis_authz.policy.language.scope import covers
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.source.problems import quoted

_CODE = "breaker-never-trips"


def breaker_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of the breakers of documents."""
    policies = [entry.loaded for entry in ground.documents if entry.document.breaker is not None]
    enforcing = [(policy, breaker) for policy in policies for breaker in _breakers(policy)]
    for policy in policies:
        if policy.document.mode == "shadow":
            yield _finding(policy, "the breaker of a shadow document counts nothing")
    wide = [position for position, (policy, _) in enumerate(enforcing) if ANY in policy.document.scope]
    by_scope: dict[str, list[int]] = {}
    for position, (policy, _) in enumerate(enforcing):
        by_scope.setdefault(policy.document.scope, []).append(position)
    for position, (policy, breaker) in enumerate(enforcing):
        for other in sorted({*wide, *by_scope[policy.document.scope]} - {position}):
            rival, quicker = enforcing[other]
            is_first = other < position or not _trips_before(breaker, quicker) or not _covers(policy, rival)
            if is_first and _covers(rival, policy) and _trips_before(quicker, breaker):
                yield _finding(policy, f"that of {quoted(rival.document.title)} always quarantines first")
                break


def _breakers(policy: LoadedPolicy) -> list[Breaker]:
    return [breaker for breakers in breakers_of([policy.compiled]).values() for breaker in breakers]


def _covers(wide: LoadedPolicy, narrow: LoadedPolicy) -> bool:
    return covers(wide.document.scope, narrow.document.scope)


def _trips_before(first: Breaker, second: Breaker) -> bool:
    """Whether whatever would trip the second has tripped the first, for at least as long.

    What is refused in quarantine counts for no breaker, so that one of fewer refusals begins anew after it, when its
    own window is over: which may be a 60th too long (docs/decisions/0017-limits.md).
    """
    return (
        _is_sooner((first.refusals,), second.refusals)
        and _is_sooner((first.refusals, first.forbidden_domain), second.forbidden_domain)
        and (first.within == second.within or _outlasts(first.within, second.within))
        and first.quarantine >= second.quarantine
        and _outlasts(first.quarantine, second.within)
    )


def _outlasts(time: Millis, within: Millis) -> bool:
    """Whether a rolling window counts nothing any more of what happened so long ago."""
    return time * 60 >= within * 61


def _is_sooner(thresholds: tuple[int | None, ...], threshold: int | None) -> bool:
    """Whether one of the thresholds is reached no later: a call to a forbidden host is a refusal, too."""
    return threshold is None or any(earlier is not None and earlier <= threshold for earlier in thresholds)


def _finding(policy: LoadedPolicy, reason: str) -> Finding:
    return finding_of(_CODE, policy.source.problem(("breaker",), f"never trips: {reason}", on_key=True))
