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
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision


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
    ) -> None:
        """`keeper` keeps the routes of a proxy, None where nobody's follow; `note` writes to the change log.

        `cautions` says what to know of the documents that are served.
        """
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
    ) -> Release:
        """Serve these documents, and wait at most `wait` seconds until every OPA runs them.

        `base` is the revision they were made of, None for none. Raises what `Publisher.publish` does.
        """
        published = await self._publisher.publish(sources, tests, person.id, message, base)
        return await self._followed(published, person, message, wait)

    async def rollback(self, revision: Revision, person: Person, message: str, wait: float) -> Release:
        """Serve the documents of an earlier revision again, and wait as long. Raises what `Publisher.rollback` does."""
        published = await self._publisher.rollback(revision, person.id, message)
        return await self._followed(published, person, message, wait)

    async def confirm(self, proposal_id: str, digest: str, person: Person, note: str, wait: float) -> Release:
        """Publish what another person proposed, and wait as long. Raises what `ProposalDesk.confirm` does."""
        published = await self._proposals.confirm(proposal_id, digest, person)
        return await self._followed(published, person, note, wait)

    async def _followed(self, published: Published, person: Person, why: str, wait: float) -> Release:
        await self._note(person, "policies:version", published.revision, str(WHOLE_MESH), why)
        activation = await self._board.activation(published.revision, wait)
        if self._keeper is not None and activation.active_on:
            await self._keeper.until(published.revision, max(0.0, wait - activation.seconds))
        return Release(published, activation, await self._cautions())

    async def cautions(self) -> tuple[str, ...]:
        """What to know of the documents that are served."""
        return await self._cautions()
