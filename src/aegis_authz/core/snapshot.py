"""The immutable generation a check runs under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.basis import Bases
from aegis_authz.core.breaker import Breakers
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.limit import Limit
from aegis_authz.core.price import Prices
from aegis_authz.core.record_terms import RecordRules
from aegis_authz.core.registration import Registry
from aegis_authz.core.residency import Residency
from aegis_authz.core.scope import Scope
from aegis_authz.core.telemetry_terms import TelemetryRules
from aegis_authz.core.units import Basis, LimitId, Revision, Seconds


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose tokens are believed.

    `token_keys` and `approval_keys` map a key id (RFC 7638 thumbprint) to a raw 32-byte Ed25519
    public key.
    """

    issuer: str
    audience: str
    token_keys: Mapping[str, bytes]
    approval_keys: Mapping[str, bytes]
    max_token_life: Seconds
    clock_skew: Seconds


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One policy revision as the data plane sees it. Loaded once per call; never mixed with another.

    `agents` are those that documents register. `status_base` is the URL under which approvals are looked up, "" when
    there is none, and `people_base` that under which people read and decide them. `reads` are the words of
    `core.circumstances.CONTEXT` that its policies ask about, `roots` the parameters in which they look at anything, in
    lower case, None where that may be any. `phrases` say in a refusal what is allowed, by the
    condition a finding names, with `{limit}` where the limit belongs; a condition without one is told by its name.
    `bases` is None in a bundle that was made before there were any. `limits` are all that its decisions may name, and
    `breakers` watch what is refused. `prices` are what calls cost.
    `revoked` are the marks of what was revoked when the bundle was made, whatever the store remembers. `residency` is
    whose calls it judges, None in a mesh that has no regions. `telemetry` says what spans may show, and `records` what
    records hold.
    """

    revision: Revision
    catalogue: Catalogue
    trust: Trust
    agents: Registry
    status_base: str
    reads: frozenset[str]
    roots: frozenset[str] | None
    phrases: Mapping[str, str]
    bases: Bases | None
    limits: Mapping[LimitId, Limit]
    breakers: Breakers
    prices: Prices
    revoked: frozenset[str]
    people_base: str
    residency: Residency | None
    telemetry: TelemetryRules
    records: RecordRules

    def basis_of(self, scope: Scope, tool: str) -> Basis:
        """What judges that agent's calls of the tool: the whole revision where no more is known."""
        return Basis(self.revision) if self.bases is None else self.bases.of(scope, tool)
