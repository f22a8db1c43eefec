"""What the document of regions says: who is at home in one of them, and which documents that region may hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.residency import Residency
from aegis_authz.policy.language.residency import RegionEntry, ResidencyDocument
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.language.validation import validated
from aegis_authz.policy.source.problems import Problem, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument

MEMBER = "residency"
"""The member that only a document of regions has."""


@dataclass(frozen=True, slots=True)
class LoadedResidency:
    """The document of regions, and where it was written."""

    document: ResidencyDocument
    source: SourceDocument

    def of(self, region: str, own: Iterable[str] = ()) -> Residency | None:
        """What holds in a region, None for one whose tenants are not told. `own` are tenants of Aegis itself."""
        regions = self.document.residency
        if region not in regions or regions[region].tenants is None:
            return None
        gateways = {name: entry.gateway for name, entry in sorted(regions.items()) if entry.gateway is not None}
        return Residency(region, frozenset((*(regions[region].tenants or ()), *own)), MappingProxyType(gateways))


def read_residency(sources: Sequence[SourceDocument]) -> tuple[LoadedResidency | None, list[Problem]]:
    """The one document of regions among these, None where there is none, and what is wrong with it."""
    read: LoadedResidency | None = None
    problems: list[Problem] = []
    for source in sources:
        document, wrong = validated(ResidencyDocument, source)
        problems += wrong
        if read is not None:
            where = f"{read.source.path}:{read.source.problem((MEMBER,), '').line}"
            problems.append(source.problem((MEMBER,), f"regions are told in one document, and there is one ({where})"))
        elif document is not None:
            read = LoadedResidency(document, source)
            problems += _ambiguities(document.residency, source)
    return read, problems


def _ambiguities(regions: Mapping[str, RegionEntry], source: SourceDocument) -> Iterator[Problem]:
    """All of an org in one region, and one of its tenants in another: where is that tenant at home?"""
    first = {tenants: region for region, entry in regions.items() for tenants in entry.tenants or ()}
    for region, entry in regions.items():
        for position, tenants in enumerate(entry.tenants or ()):
            org = tenants.partition("/")[0]
            whole = first.get(f"{org}/{ANY}", region)
            if not tenants.endswith(ANY) and whole != region:
                at: Location = (MEMBER, region, "tenants", position)
                message = f"all tenants of {quoted(org)} are at home in {quoted(whole)}: name them one by one there"
                yield source.problem(at, message)


def is_home_document(value: Json, tenants: Collection[str]) -> bool | None:
    """Whether a document can be about a tenant among `tenants`; None for one that is of no tenant, and may be anywhere.

    Raises ValueError where it is about agents of this region and of others.
    """
    if not isinstance(value, Mapping):
        return None
    agents = value.get("agents")
    if isinstance(agents, Mapping):
        homes = {_meets(*_tenant_of(scope), tenants) for scope in agents}
        if len(homes) > 1:
            raise ValueError("registers agents of this region and of others")
        return next(iter(homes), None)
    if "agent" not in value:
        return None
    org, tenant = value.get("org", ANY), value.get("tenant", ANY)
    return _meets(org, tenant, tenants) if isinstance(org, str) and isinstance(tenant, str) else None


def _tenant_of(scope: str) -> tuple[str, str]:
    org, _, rest = scope.partition("/")
    return org, rest.partition("/")[0]


def _meets(org: str, tenant: str, tenants: Collection[str]) -> bool:
    """Whether a tenant of these parts, each of which may be a pattern, is among them."""
    homes = (home.partition("/")[::2] for home in tenants)
    return any(_may_be(org, home_org) and _may_be(tenant, home_tenant) for home_org, home_tenant in homes)


def _may_be(pattern: str, name: str) -> bool:
    if ANY in (pattern, name):
        return True
    return name.startswith(pattern.removesuffix(ANY)) if pattern.endswith(ANY) else pattern == name
