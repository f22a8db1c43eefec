"""Who is registered with which keys, and whose tokens are exchanged: identity as the token endpoint looks it up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.registration import DEFAULT_WAYS, Way
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Seconds
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.policy.compile.identities import Identities
from aegis_authz.policy.language.identities import AgentEntry, TrustDocument


@dataclass(frozen=True, slots=True)
class RegisteredAgent:
    """What issuing needs of an agent. `keys` are raw public keys by thumbprint; `token_life` None for the usual one."""

    keys: Mapping[str, bytes]
    ways: frozenset[Way]
    token_life: Seconds | None
    owner: str


NOBODY = RegisteredAgent(MappingProxyType({}), DEFAULT_WAYS, None, "")
"""What holds for an agent that no document registers."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The agents and trusted issuers of one revision."""

    agents: Mapping[Scope, RegisteredAgent]
    trusts: tuple[TrustDocument, ...]

    @staticmethod
    def of(identities: Identities) -> Directory:
        """The directory of these documents."""
        agents = {scope: _registered(entry) for scope, entry in identities.entries()}
        return Directory(MappingProxyType(agents), tuple(loaded.document for loaded in identities.trusts))

    def agent(self, scope: Scope) -> RegisteredAgent:
        """What holds for an agent, registered or not."""
        return self.agents.get(scope, NOBODY)


EMPTY_DIRECTORY = Directory(MappingProxyType({}), ())
"""Nobody is registered and nobody trusted."""


def _registered(entry: AgentEntry) -> RegisteredAgent:
    return RegisteredAgent(
        keys=MappingProxyType({thumbprint(raw): raw for raw in entry.keys or ()}),
        ways=frozenset(map(Way, entry.ways)),
        token_life=None if entry.token_life is None else Seconds(float(entry.token_life)),
        owner=entry.owner or "",
    )
