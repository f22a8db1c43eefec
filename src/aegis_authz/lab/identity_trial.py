"""Tests of identity tried: whom each stands for by the documents, and where that is not what was expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.identity import Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.registration import UNREGISTERED as DEFAULT_REGISTRATION
from aegis_authz.core.registration import Registry
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.identity.exchange import subject_of_claims
from aegis_authz.identity.issuance import NotIssued
from aegis_authz.lab.identity_cases import UNREGISTERED, IdentityCase, claims_of, key_owners
from aegis_authz.lab.trial import Difference
from aegis_authz.policy.compile.identities import Identities

TRIED_AT = Epoch(1_800_000_000.0)
"""When tests are tried: tokens end a minute later unless their claims say otherwise."""


@dataclass(frozen=True, slots=True)
class IdentityResult:
    """What became of one test: `answer` has agent, on_behalf_of and ways, or refused and why."""

    case: IdentityCase
    answer: dict[str, Json]
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def identities_tried(identities: Identities, cases: Sequence[IdentityCase]) -> list[IdentityResult]:
    """Try all tests, in order."""
    registry, owners = Registry.of(identities.registrations()), key_owners(identities)
    return [_tried(case, identities, registry, owners) for case in cases]


def _tried(
    case: IdentityCase, identities: Identities, registry: Registry, owners: Mapping[str, Scope]
) -> IdentityResult:
    answer = _answer(case, identities, registry, owners)
    expected = {name: value for name, value in _expected(case).items() if value is not None}
    # a refusal where an agent was expected differs in one member, and the other way round
    compared = {"agent": None, "refused": None, **expected}
    differences = tuple(
        Difference(member, compared[member], answer.get(member), case.lines.get(member, case.line))
        for member in compared
        if _ordered(compared[member]) != _ordered(answer.get(member))
    )
    return IdentityResult(case, answer, differences)


def _answer(
    case: IdentityCase, identities: Identities, registry: Registry, owners: Mapping[str, Scope]
) -> dict[str, Json]:
    written = case.written
    if written.trust is None:
        by_name = registry.by_spiffe_id if written.spiffe else owners
        owner = by_name.get(written.spiffe or written.key or "")
        return _nobody(UNREGISTERED, "") if owner is None else _agent(owner, "", registry)
    try:
        subject = subject_of_claims(
            claims_of(written, identities, TRIED_AT), identities.issuers(), TRIED_AT, Seconds(0.0)
        )
    except NotIssued as refusal:
        return _nobody(refusal.denial.name.lower(), refusal.detail)
    return _agent(subject.agent, subject.person, registry)


def _agent(agent: Scope, person: str, registry: Registry) -> dict[str, Json]:
    ways = registry.agents.get(agent, DEFAULT_REGISTRATION).ways
    return {
        "agent": str(agent),
        "on_behalf_of": person or None,
        "ways": [way.value for way in Way if way in ways],
        "refused": None,
        "detail": "",
    }


def _nobody(reason: str, detail: str) -> dict[str, Json]:
    return {"agent": None, "on_behalf_of": None, "ways": [], "refused": reason, "detail": detail}


def _expected(case: IdentityCase) -> dict[str, Json]:
    expect = case.written.expect
    ways: list[Json] | None = None if expect.ways is None else [*expect.ways]
    return {"agent": expect.agent, "refused": expect.refused, "on_behalf_of": expect.on_behalf_of, "ways": ways}


def _ordered(value: Json) -> Json:
    return sorted(value, key=str) if isinstance(value, list) else value
