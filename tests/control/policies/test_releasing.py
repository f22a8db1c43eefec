"""Releases in the name of a person: noted once, followed until OPA runs them; the API's are in routes/test_policies.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aegis_authz.control.app import ControlServices
from aegis_authz.control.policies.releasing import ReleaseDesk
from aegis_authz.core.person import Person
from aegis_authz.core.release import ReleaseConflict, Sources
from aegis_authz.core.units import Revision
from aegis_authz.testing.releases import MemoryReleases
from tests.support.people import person

Documents = Callable[..., Sources]
ANN = person("ann", "owner")


class Notes:
    """The change log, as far as it is written here."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str]] = []

    async def write(self, person: Person, action: str, subject: str, domain: str, reason: str) -> None:
        self.lines.append((person.id, action, subject, reason))


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def desk(plane: ControlServices, notes: Notes) -> ReleaseDesk:
    return ReleaseDesk(
        plane.publisher, plane.policies.proposals, plane.board, None, notes.write, cautions, is_tried=False
    )


async def cautions() -> tuple[str, ...]:
    return ("nobody is told",)


async def test_what_is_published_and_rolled_back_is_noted_once_with_why(
    desk: ReleaseDesk, documents: Documents, notes: Notes
) -> None:
    first = await desk.publish(documents(5000), {}, ANN, "begin", 0.0)
    second = await desk.publish(documents(6000), {}, ANN, "raise", 0.0, first.published.revision)
    back = await desk.rollback(first.published.revision, ANN, "too much", 0.0)
    assert [(line[2], line[3]) for line in notes.lines] == [
        (first.published.revision, "begin"),
        (second.published.revision, "raise"),
        (back.published.revision, "too much"),
    ]
    assert {line[:2] for line in notes.lines} == {("ann", "policies:version")}
    assert second.activation.active_on == ()
    assert second.cautions == ("nobody is told",)


async def test_an_edition_of_documents_that_are_served_no_more_is_refused(
    desk: ReleaseDesk, documents: Documents, notes: Notes, releases: MemoryReleases
) -> None:
    first = await desk.publish(documents(5000), {}, ANN, "", 0.0)
    second = await desk.publish(documents(6000), {}, ANN, "", 0.0)
    for base in (first.published.revision, Revision("other")):
        with pytest.raises(ReleaseConflict, match="open them again"):
            await desk.publish(documents(7000), {}, ANN, "", 0.0, base)
    assert (releases.current(), len(notes.lines)) == (second.published.revision, 2)
