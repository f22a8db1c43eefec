"""Regions: where a part of a mesh runs, and which tenants are at home there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.scope import NAME, Scope

REGION = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\Z")
"""What a region may be called: a DNS label of at most 32 characters."""
_ALL = "*"


def is_tenants(text: str) -> bool:
    """Whether a text names a tenant (`org/tenant`), or all of an org (`org/*`)."""
    org, slash, tenant = text.partition("/")
    return bool(slash) and NAME.match(org) is not None and (tenant == _ALL or NAME.match(tenant) is not None)


def regional_audience(audience: str, region: str) -> str:
    """The audience of a region's tokens: those of another are not for it. `region` is "" for a mesh without regions."""
    return f"{audience}/{region}" if region else audience


def is_of_sibling(audience: str, own: str, region: str) -> bool:
    """Whether tokens of this audience are for another region of the mesh whose audience in `region` is `own`."""
    base = own.removesuffix(f"/{region}")
    return audience != own and audience.startswith(f"{base}/") and REGION.match(audience[len(base) + 1 :]) is not None


@dataclass(frozen=True, slots=True)
class Residency:
    """The region that a bundle was made for, and whose calls it judges.

    `tenants` are at home there: `org/tenant`, or `org/*` for all of an org. `gateways` is where agents reach each
    region, as far as that is said.
    """

    region: str
    tenants: frozenset[str]
    gateways: Mapping[str, str]

    def is_home(self, scope: Scope) -> bool:
        """Whether the agent's tenant is at home in the region."""
        return scope.tenant_path in self.tenants or f"{scope.org}/{_ALL}" in self.tenants
