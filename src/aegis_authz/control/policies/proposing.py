"""Publishing by two people: what touches a scope that asks for it waits, until another person confirms just that."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterator, Sequence
from typing import Protocol

from aegis_authz.control.policies.publication import Draft, Published
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.person import WHOLE_MESH, Domain, Person
from aegis_authz.core.proposal import (
    Proposal,
    ProposalConflict,
    ProposalForbidden,
    ProposalState,
    ProposalWaits,
)
from aegis_authz.core.release import ReleaseConflict, Sources
from aegis_authz.core.sponsors import answerable
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, Permission, may
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.policy.source.reader import read_source
from aegis_authz.ports.data_plane import Clock, Ids
from aegis_authz.ports.people import PeopleStore, PersonUnknown
from aegis_authz.ports.proposals import Proposals

_ALL = "*"


class Loader(Protocol):
    """Reads and checks documents (`control.policies.building`)."""

    def loaded(self, sources: Sources) -> Loaded:
        """These documents, checked. Raises PolicyErrors."""
        ...


class TwoPersonRule:
    """What must not be published by one person alone. With no domains, nothing."""

    def __init__(self, domains: Sequence[Domain], loader: Loader, proposals: Proposals, clock: Clock, ids: Ids) -> None:
        self._domains = domains
        self._loader = loader
        self._proposals = proposals
        self._clock = clock
        self._ids = ids

    async def admit(self, draft: Draft) -> None:
        """Let a publication pass, or keep it as a proposal. Raises ProposalWaits, DatabaseFault."""
        if not self._domains or not await asyncio.to_thread(self._is_asked, draft):
            return
        proposal = Proposal(
            id=f"pub_{self._ids.token()}",
            base=draft.base,
            sources=draft.after,
            kind=draft.kind,
            by=draft.by,
            at=self._clock.now(),
            message=draft.message,
            state=ProposalState.WAITING,
            decided_by="",
            tests=draft.tests,
        )
        await self._proposals.add(proposal)
        raise ProposalWaits(proposal)

    def _is_asked(self, draft: Draft) -> bool:
        """Whether the change touches a scope that asks for two people; what is of no single scope touches all."""
        if dict(draft.before.tools) != dict(draft.after.tools):
            return True
        changed = {
            path
            for path in draft.before.policies.keys() | draft.after.policies.keys()
            if draft.before.policies.get(path) != draft.after.policies.get(path)
        }
        return any(
            scope is None or any(_meets(scope, domain) for domain in self._domains)
            for sources in (draft.before, draft.after)
            for scope in self._scopes(sources, changed)
        )

    def _scopes(self, sources: Sources, paths: set[str]) -> Iterator[str | None]:
        """The scopes of the documents in these files, None for one that is of no scope: a template, an identity."""
        present = paths & sources.policies.keys()
        try:
            policies = self._loader.loaded(sources).loaded_policies
        except PolicyErrors:  # of a version of before: what cannot be told apart touches all
            yield None
            return
        for path in present:
            scopes = [policy.document.scope for policy in policies if policy.source.path == path]
            yield from scopes
            if len(scopes) != len(read_source(path, sources.policies[path])[0]):
                yield None


def _meets(scope: str, domain: Domain) -> bool:
    """Whether a document of that scope, which may have wildcards, can be about an agent of the domain."""
    org, tenant, _ = scope.split("/")
    return _may_be(org, domain.org) and _may_be(tenant, domain.tenant)


def _may_be(pattern: str, name: str) -> bool:
    if _ALL in (pattern, name):
        return True
    return name.startswith(pattern.removesuffix(_ALL)) if pattern.endswith(_ALL) else pattern == name


class ProposalDesk:
    """Where a second person looks at proposals, and confirms or withdraws them."""

    def __init__(self, proposals: Proposals, publisher: Publisher, people: PeopleStore) -> None:
        self._proposals = proposals
        self._publisher = publisher
        self._people = people

    async def waiting(self) -> list[Proposal]:
        """All that wait, the newest first. Raises DatabaseFault."""
        return await self._proposals.waiting()

    async def get(self, proposal_id: str) -> tuple[Proposal, Sources]:
        """A proposal, and the documents in whose place it would be.

        Raises ProposalUnknown, DatabaseFault, RevisionUnknown, ReleasesFault.
        """
        proposal = await self._proposals.get(proposal_id)
        return proposal, await self._base(proposal)

    async def confirm(self, proposal_id: str, digest: str, person: Person, accept: str = "") -> Published:
        """Publish it, in the name of who proposed it: it is published, and its documents served, in one step.

        `accept` is why this person, too, accepts that recorded calls are decided more mildly, "" where they do not.
        Raises ProposalUnknown, ProposalConflict, ProposalForbidden, PolicyErrors, ReleaseConflict, ReleasesFault,
        DatabaseFault.
        """
        proposal = await self._proposals.get(proposal_id)
        _require_waiting(proposal)
        if not hmac.compare_digest(proposal.digest.encode("ascii"), digest.encode("utf-8", "surrogatepass")):
            raise ProposalConflict("the digest is of other documents than the proposal's: look at it again")
        await self._require_second(proposal, person)
        base = await self._base(proposal)
        try:
            published = await self._publisher.publish_confirmed(proposal, base, person.id, accept)
        except ReleaseConflict:
            _require_waiting(await self._proposals.get(proposal_id))  # another one confirmed it at the same moment
            raise
        if not published.changed:  # its documents were served already: no publication has decided it
            await self._decide(proposal, ProposalState.PUBLISHED, person)
        return published

    async def withdraw(self, proposal_id: str, person: Person) -> Proposal:
        """Have it wait no longer. Raises ProposalUnknown, ProposalConflict, DatabaseFault."""
        proposal = await self._proposals.get(proposal_id)
        _require_waiting(proposal)
        await self._decide(proposal, ProposalState.WITHDRAWN, person)
        return await self._proposals.get(proposal_id)

    async def _decide(self, proposal: Proposal, state: ProposalState, person: Person) -> None:
        if not await self._proposals.decide(proposal.id, state, person.id):
            _require_waiting(await self._proposals.get(proposal.id))
            raise ProposalConflict("somebody else decides the proposal at this moment: look at it again")

    async def _base(self, proposal: Proposal) -> Sources:
        return await self._publisher.sources(proposal.base) if proposal.base else Sources({}, {})

    async def _require_second(self, proposal: Proposal, person: Person) -> None:
        if person.id == proposal.by:
            raise ProposalForbidden(f"{person.id} proposed it: another person confirms it")
        if person.id == BOOTSTRAP_OWNER.id:
            raise ProposalForbidden("the admin token is no second person: somebody who signed in confirms it")
        if not await self._is_publisher(proposal.by):
            raise ProposalForbidden(f"{proposal.by} may publish no more: whoever still wants it proposes it")
        sponsors = await self._people.sponsors()
        common = answerable(sponsors, person.id) & answerable(sponsors, proposal.by)
        if common:
            raise ProposalForbidden(
                f"{min(common)} answers for {proposal.by} and for {person.id}: somebody else must confirm them first "
                "(aegis people confirm)"
            )

    async def _is_publisher(self, person_id: str) -> bool:
        """Whether who proposed could do so now: a word of somebody who has left is none of two."""
        if person_id == BOOTSTRAP_OWNER.id:
            return True
        try:
            account = await self._people.account(person_id)
        except PersonUnknown:
            return False
        return not account.is_disabled and may(account.person, Permission.PUBLISH_POLICIES, WHOLE_MESH)


def _require_waiting(proposal: Proposal) -> None:
    if proposal.state is not ProposalState.WAITING:
        raise ProposalConflict(f"the proposal is {proposal.state.value} already, by {proposal.decided_by}")
