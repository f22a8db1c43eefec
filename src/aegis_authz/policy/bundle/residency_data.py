"""The region of a bundle as plain JSON, and back, strictly: `snapshot.residency` is `{region, tenants, gateways}`."""

from __future__ import annotations

from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.residency import REGION, Residency, is_tenants
from aegis_authz.encoding.narrowing import items, mapping, members, text


def residency_to_data(residency: Residency) -> Json:
    """The region as JSON values."""
    return {
        "region": residency.region,
        "tenants": [*sorted(residency.tenants)],
        "gateways": dict(sorted(residency.gateways.items())),
    }


def residency_from_data(data: Json) -> Residency | None:
    """Read what `residency_to_data` wrote, None for a bundle that is of no region. Raises ValueError for all else."""
    if data is None:
        return None
    entry = members(data, {"region", "tenants", "gateways"}, "the residency")
    region = text(entry["region"], "a region")
    tenants = frozenset(text(name, "a tenant") for name in items(entry["tenants"], "tenants"))
    gateways = {name: text(url, "a gateway") for name, url in mapping(entry["gateways"], "gateways").items()}
    if any(REGION.match(name) is None for name in (region, *gateways)) or not all(map(is_tenants, tenants)):
        raise ValueError("a region or a tenant has no such name")
    return Residency(region, tenants, MappingProxyType(gateways))
