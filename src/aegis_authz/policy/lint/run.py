"""The one way in: texts of policies and tool catalogues in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime

from aegis_authz.core.notice import ChannelPlaces
from aegis_authz.policy.lint.bodies import body_findings
from aegis_authz.policy.lint.bounds import bound_findings
from aegis_authz.policy.lint.breadth import breadth_findings
from aegis_authz.policy.lint.breakers import breaker_findings
from aegis_authz.policy.lint.channels import channel_findings
from aegis_authz.policy.lint.codes import INVALID
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import Ground, ground_of
from aegis_authz.policy.lint.identities import identity_findings
from aegis_authz.policy.lint.limits import limit_findings
from aegis_authz.policy.lint.patterns import pattern_findings
from aegis_authz.policy.lint.reach import reach_findings
from aegis_authz.policy.lint.readings import reading_findings
from aegis_authz.policy.lint.silences import apply_silences
from aegis_authz.policy.lint.times import time_findings
from aegis_authz.policy.lint.unused import unused_findings
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

_FAMILIES: tuple[Callable[[Ground], Iterator[Finding]], ...] = (
    body_findings,
    channel_findings,
    bound_findings,
    breadth_findings,
    breaker_findings,
    identity_findings,
    limit_findings,
    pattern_findings,
    reach_findings,
    reading_findings,
    time_findings,
    unused_findings,
)


def linted(
    policies: Mapping[str, str],
    tools: Mapping[str, str],
    detectors: Collection[str] | None,
    now: datetime,
    places: ChannelPlaces | None = None,
) -> list[Finding]:
    """Everything found, in order of file and place.

    Both mappings go from a file's name, as findings shall show it, to its text; `detectors` as for `load`. `now` says
    which windows of time are over; `places` are those of the channels that there are, None where that is not known.
    Documents that cannot be loaded have their problems as findings and no others.
    """
    try:
        loaded = load(policies, tools, detectors)
    except PolicyErrors as errors:
        return [finding_of(INVALID, problem) for problem in errors.problems]
    ground = ground_of(loaded, policies, tools, now, places)
    findings = _once(finding for family in _FAMILIES for finding in family(ground))
    return sorted(apply_silences(findings, {**policies, **tools}), key=lambda finding: finding.order)


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """One finding of a code at a place; what a template causes in several documents is told once, as the gravest."""
    by_place: dict[tuple[str, str, int, int], Finding] = {}
    for finding in sorted(findings, key=lambda finding: finding.order):
        by_place.setdefault((finding.code, finding.problem.path, finding.problem.line, finding.problem.column), finding)
    return list(by_place.values())
