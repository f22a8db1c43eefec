"""What people do to what is served, by whatever door they come: it is noted once, and followed until OPA runs it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aegis_authz.control.acts import Note
from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.publication import Published
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.control.policies.status_board import Activation, StatusBoard
from aegis_authz.control.policies.trials import NotTried
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.people.permissions import Permission, may


@dataclass(frozen=True, slots=True)
class Release:
    """What was done, how far it has come by then, and what to know of it besides."""

    published: Published
    activation: Activation
    cautions: tuple[str, ...]


class ReleaseDesk:
    """Publishing, rolling back and confirming, in the name of a person."""

    def __init__(
        self,
        publisher: Publisher,
        proposals: ProposalDesk,
        board: StatusBoard,
        keeper: RouteKeeper | None,
        note: Note,
        cautions: Callable[[], Awaitable[tuple[str, ...]]],
        *,
        is_tried: bool,
    ) -> None:
        """`keeper` keeps the routes of a proxy, None where nobody's follow; `note` writes to the change log.

        `cautions` says what to know of the documents that are served. `is_tried` says that publications are tried on
        recorded calls: where they are not, there is nothing to accept.
        """
        self._is_tried = is_tried
        self._publisher = publisher
        self._proposals = proposals
        self._board = board
        self._keeper = keeper
        self._note = note
        self._cautions = cautions

    async def publish(
        self,
        sources: Sources,
        tests: Mapping[str, str],
        person: Person,
        message: str,
        wait: float,
        base: Revision | None = None,
        accept: str = "",
    ) -> Release:
        """Serve these documents, and wait at most `wait` seconds until every OPA runs them.

        `base` is the revision they were made of, None for none; `accept` says why recorded calls may be decided more
        mildly, which owners alone may say. Raises what `Publisher.publish` does.
        """
        accept = await self._acceptance(person, accept, "policies")
        published = await self._publisher.publish(sources, tests, person.id, message, base, accept)
        return await self._followed(published, person, message, wait)

    async def rollback(
        self, revision: Revision, person: Person, message: str, wait: float, accept: str = ""
    ) -> Release:
        """Serve the documents of an earlier revision again, and wait as long. Raises what `Publisher.rollback` does."""
        accept = await self._acceptance(person, accept, revision)
        published = await self._publisher.rollback(revision, person.id, message, accept)
        return await self._followed(published, person, message, wait)

    async def confirm(
        self, proposal_id: str, digest: str, person: Person, note: str, wait: float, accept: str = ""
    ) -> Release:
        """Publish what another person proposed, and wait as long. Raises what `ProposalDesk.confirm` does."""
        accept = await self._acceptance(person, accept, proposal_id)
        published = await self._proposals.confirm(proposal_id, digest, person, accept)
        return await self._followed(published, person, note, wait)

    async def _acceptance(self, person: Person, accept: str, target: str) -> str:
        """Note who accepts what recorded calls come to, and why, before it is tried. Returns why, "" for nobody.

        Raises NotTried where it is not that person's to accept, DatabaseFault.
        """
        accept = accept.strip()
        if not accept or not self._is_tried:
            return ""
        if not may(person, Permission.ACCEPT_MILDER, WHOLE_MESH):
            raise NotTried(
                403, f"{person.id} may publish, and not accept that calls are decided more mildly: owners do"
            )
        await self._note(person, Permission.ACCEPT_MILDER.value, target, str(WHOLE_MESH), accept)
        return accept

    async def _followed(self, published: Published, person: Person, why: str, wait: float) -> Release:
        await self._note(person, "policies:version", published.revision, str(WHOLE_MESH), why)
        activation = await self._board.activation(published.revision, wait)
        if self._keeper is not None and activation.active_on:
            await self._keeper.until(published.revision, max(0.0, wait - activation.seconds))
        return Release(published, activation, await self._cautions())

    async def cautions(self) -> tuple[str, ...]:
        """What to know of the documents that are served."""
        return await self._cautions()
