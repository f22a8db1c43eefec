"""The agents that are known by name, whoever registered, stopped or named them in a document, and how they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from aegis_authz.control.policies.directory import Directory, RegisteredAgent
from aegis_authz.control.policies.published_documents import Published
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.revocation import Revocation, Revoked, RevokedKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ANY
from aegis_authz.core.units import Revision
from aegis_authz.policy.rights import Rights, rights_of
from aegis_authz.ports.data_plane import StoreDown


class Standing(Enum):
    """How an agent stands. UNKNOWN: Redis, which keeps quarantines, does not answer."""

    ACTIVE = "active"
    QUARANTINED = "quarantined"
    REVOKED = "revoked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """One agent. `revocations` are those of the agent, its tenant and its keys; `quarantine` is None for none.

    `owner` is who is registered as such, else whom a document about this agent alone names, "" for nobody.
    """

    scope: Scope
    owner: str
    registered: RegisteredAgent
    revocations: tuple[Revocation, ...]
    quarantine: Quarantine | None
    standing: Standing


class Stops(Protocol):
    """What is revoked, as it is kept on disk (`control.agents.revoking`)."""

    @property
    def remembered(self) -> Sequence[Revocation]:
        """All revocations, newest first; asks nobody."""
        ...


class QuarantineList(Protocol):
    """Who is quarantined (`control.spend.limiting`)."""

    async def list(self) -> list[Quarantine]:
        """Who is quarantined now. Raises StoreDown."""
        ...


class Roster:
    """Looks agents up. What reads documents raises ReleasesFault and PolicyErrors."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        published: Callable[[], Published],
        revocations: Stops,
        quarantines: QuarantineList,
    ) -> None:
        """`published` blocks; it gives the documents that are published now."""
        self._directory = directory
        self._published = published
        self._revocations = revocations
        self._quarantines = quarantines

    async def entries(self, visible: Callable[[Scope], bool]) -> list[Entry]:
        """All agents that are visible, in order of their names."""
        documents = await asyncio.to_thread(self._published)
        quarantines, revocations = await self._quarantined(), self._by_target()
        stopped = map(_stopped_agent, revocations)
        scopes = {
            *self._directory().agents,
            *_written_names(policy.document.scope for policy in documents.loaded.loaded_policies),
            *(scope for scope in stopped if scope is not None),
            *(quarantines or ()),
        }
        owners = _owners(documents)
        return [
            self._entry(scope, owners, revocations, quarantines) for scope in sorted(filter(visible, scopes), key=str)
        ]

    async def entry(self, scope: Scope) -> Entry:
        """One agent by name, known or not."""
        owners = _owners(await asyncio.to_thread(self._published))
        return self._entry(scope, owners, self._by_target(), await self._quarantined())

    async def rights(self, scope: Scope) -> tuple[Revision, Rights]:
        """What an agent may do by the documents that are published now, and their revision."""
        return await asyncio.to_thread(self._rights, scope)

    def _rights(self, scope: Scope) -> tuple[Revision, Rights]:
        published = self._published()
        return published.revision, rights_of(published.loaded.loaded_policies, published.loaded.tools, scope)

    def _by_target(self) -> dict[Revoked, Revocation]:
        # there is one revocation of a target; to go through all of them for each agent would hold up everybody else
        return {entry.target: entry for entry in self._revocations.remembered}

    async def _quarantined(self) -> dict[Scope, Quarantine] | None:
        try:
            return {entry.scope: entry for entry in await self._quarantines.list()}
        except StoreDown:
            return None

    def _entry(
        self,
        scope: Scope,
        owners: Mapping[str, str],
        revocations: Mapping[Revoked, Revocation],
        quarantines: Mapping[Scope, Quarantine] | None,
    ) -> Entry:
        registered = self._directory().agent(scope)
        own = [Revoked.agent(scope), Revoked(RevokedKind.TENANT, scope.org, scope.tenant, "")]
        own += [Revoked(RevokedKind.KEY, scope.org, scope.tenant, key_id) for key_id in registered.keys]
        found = (revocations[target] for target in own if target in revocations)
        stops = tuple(sorted(found, key=lambda entry: -entry.at))
        quarantine = (quarantines or {}).get(scope)
        owner = registered.owner or owners.get(str(scope), "")
        standing = _standing(stops, quarantine, quarantines is not None)
        return Entry(scope, owner, registered, stops, quarantine, standing)


def _owners(published: Published) -> dict[str, str]:
    documents = published.loaded.policies
    return {document.scope: document.owner for document in documents if document.owner and ANY not in document.scope}


def _standing(stops: Iterable[Revocation], quarantine: Quarantine | None, is_known: bool) -> Standing:
    if any(entry.target.kind in (RevokedKind.AGENT, RevokedKind.TENANT) for entry in stops):
        return Standing.REVOKED
    if not is_known:
        return Standing.UNKNOWN
    return Standing.ACTIVE if quarantine is None else Standing.QUARANTINED


def _stopped_agent(target: Revoked) -> Scope | None:
    return Scope(target.org, target.tenant, target.name) if target.kind is RevokedKind.AGENT else None


def _written_names(scopes: Iterable[str]) -> set[Scope]:
    return {Scope.parse(scope) for scope in scopes if ANY not in scope}
