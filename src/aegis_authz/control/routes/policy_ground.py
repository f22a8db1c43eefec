"""What the pages of policies stand on, and what they ask of it."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.control.gate import Caller
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Pages
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.editing import FileName, Folder
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.services import PolicyServices
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.core.release import Change
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.people.permissions import Permission, may
from aegis_authz.policy.source.problems import Problem, printable

WAIT = 5.0
"""Seconds for which a page waits until every OPA runs what was published."""


@dataclass(frozen=True, slots=True)
class PolicyGround:
    """The services of policies, and what pages about them are drawn and sealed with."""

    policies: PolicyServices
    publisher: Publisher
    board: StatusBoard
    bulletin: Bulletin
    pages: Pages

    @property
    def served(self) -> Revision:
        """The revision that is served, "" before the first."""
        return NO_REVISION if self.bulletin.live is None else self.bulletin.live.revision

    async def versions(self) -> list[Change]:
        """The changes of what is served, newest first. Raises ReleasesFault."""
        return [change for change in await self.publisher.changes() if change.agent is None]

    async def texts(self, revision: Revision, folder: Folder) -> dict[str, str]:
        """The files of a folder of a revision, by path. Raises RevisionUnknown, ReleasesFault."""
        if folder is Folder.TESTS:
            return dict(await self.policies.readings.tests(revision))
        sources = await self.policies.readings.sources(revision)
        return dict(sources.policies if folder is Folder.POLICIES else sources.tools)


def may_publish(caller: Caller) -> bool:
    """Whether the caller may change what is served."""
    return may(caller.person, Permission.PUBLISH_POLICIES, WHOLE_MESH)


def file_name(text: str) -> FileName:
    """The file that an address or a form names. Raises HttpProblem."""
    try:
        return FileName.parse(text)
    except ValueError as fault:
        raise HttpProblem(400, str(fault)) from None


def problem_texts(problems: tuple[Problem, ...] | list[Problem]) -> list[str]:
    """Problems of documents as pages show them: several lines each, without other control characters."""
    return ["\n".join(map(printable, str(problem).splitlines())) for problem in problems]
