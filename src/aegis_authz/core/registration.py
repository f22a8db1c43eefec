"""What is registered of an agent: by which ways it may prove itself, and with which keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.identity import Way
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch

DEFAULT_WAYS = frozenset((Way.BOUND, Way.TOKEN))
"""The ways of an agent that no document names."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A static secret of an agent, at rest: the SHA-256 of the secret in lower-case hex.

    `ranges` are the networks it may come from (CIDR); it counts from `starts_at` until before `ends_at` (None: always).
    """

    digest: str
    ranges: tuple[str, ...]
    starts_at: Epoch
    ends_at: Epoch | None


@dataclass(frozen=True, slots=True)
class Registration:
    """What the data plane knows of an agent beside its policies."""

    ways: frozenset[Way]
    agent_keys: tuple[AgentKey, ...]
    spiffe_ids: frozenset[str]


UNREGISTERED = Registration(DEFAULT_WAYS, (), frozenset())
"""What holds for an agent that no document names."""


@dataclass(frozen=True, slots=True)
class Registry:
    """All registered agents, with the ways from a secret or a SPIFFE id back to the agent."""

    agents: Mapping[Scope, Registration]
    by_key_digest: Mapping[str, Scope]
    by_spiffe_id: Mapping[str, Scope]

    @staticmethod
    def of(agents: Mapping[Scope, Registration]) -> Registry:
        """The registry of these agents. Raises ValueError when two of them share a secret or a SPIFFE id."""
        digests = [(key.digest, scope) for scope, entry in agents.items() for key in entry.agent_keys]
        spiffe_ids = [(spiffe_id, scope) for scope, entry in agents.items() for spiffe_id in entry.spiffe_ids]
        by_digest, by_spiffe_id = dict(digests), dict(spiffe_ids)
        if len(by_digest) != len(digests) or len(by_spiffe_id) != len(spiffe_ids):
            raise ValueError("two agents share a key or a SPIFFE id")
        return Registry(MappingProxyType(dict(agents)), MappingProxyType(by_digest), MappingProxyType(by_spiffe_id))

    def of_agent(self, scope: Scope) -> Registration:
        """What holds for an agent, registered or not."""
        return self.agents.get(scope, UNREGISTERED)


NO_AGENTS = Registry.of({})
