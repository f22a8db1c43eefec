"""The pages on which whoever may read policies sees what was published, by whom and why, and what it does."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Asker, Authentication, Caller, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.policies import (
    KINDS,
    Overview,
    RevisionSheet,
    VersionQuery,
    changes_page,
    file_page,
    policies_page,
    revision_page,
    tests_page,
)
from aegis_authz.control.policies.laboratory import LaboratoryBusy
from aegis_authz.control.policies.trials import NotTried, TrialServerMissing, TrialsFault
from aegis_authz.control.routes.policy_ground import WAIT, PolicyGround, file_name, may_publish, problem_texts
from aegis_authz.core import units
from aegis_authz.core.proposal import ProposalWaits
from aegis_authz.core.release import REVISION, ReleaseConflict
from aegis_authz.people.permissions import Permission
from aegis_authz.policy.release_changes import ReleaseChange
from aegis_authz.policy.source.problems import PolicyErrors

Revision = Annotated[units.Revision, Path(pattern=REVISION.pattern.replace(r"\Z", "$"))]
Since = Annotated[units.Revision, Query(pattern=REVISION.pattern.replace(r"\Z", "$"))]
By = Annotated[str, Query(max_length=256)]
Kind = Annotated[str, Query(pattern=f"^({'|'.join(KINDS)})?$")]
PageNumber = Annotated[int, Query(ge=1, le=100_000)]
Name = Annotated[str, Query(max_length=600)]


def policy_page_routes(ground: PolicyGround, authentication: Authentication) -> list[APIRouter]:
    """`/policies` and everything below `/policies/{revision}`."""
    people = people_router(authentication, takes_forms=True)

    @people.get("/policies", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)])
    async def list_policies_page(
        caller: Asker, request: Request, by: By = "", kind: Kind = "", page: PageNumber = 1
    ) -> Response:
        """Show the versions, which OPA runs what, and what waits for a second person."""
        overview = Overview(
            ground.served,
            await ground.versions(),
            ground.board.states(),
            await ground.policies.proposals.waiting(),
            may_publish(caller),
        )
        return policies_page(overview, VersionQuery(by, kind, page), frame_of(request))

    @people.get("/policies/{revision}", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)])
    async def show_revision_page(revision: Revision, caller: Asker, request: Request) -> Response:
        """Show one revision."""
        return await _sheet(ground, revision, caller, request)

    @people.post(
        "/policies/{revision}/rollback", include_in_schema=False, dependencies=[needs(Permission.PUBLISH_POLICIES)]
    )
    async def roll_back_on_page(revision: Revision, caller: Asker, request: Request) -> Response:
        """Serve its documents again; a refusal is told on its page."""
        form = await Form.read(request)
        ground.pages.require_seal_of(form, _words(ground, revision), caller.person, request)
        try:
            release = await ground.policies.releases.rollback(revision, caller.person, form.text("message"), WAIT)
        except ProposalWaits as waits:
            return RedirectResponse(f"/policies/proposals/{waits.proposal.id}", status_code=303)
        except (PolicyErrors, NotTried, ReleaseConflict) as refusal:
            return await _sheet(ground, revision, caller, request, f"Nothing changed. {refusal}")
        return RedirectResponse(f"/policies/{release.published.revision}", status_code=303)

    _add_looks(people, ground)
    return [people]


def _words(ground: PolicyGround, revision: units.Revision) -> tuple[str, ...]:
    """What the form is sealed by: it takes back what was served when it was shown, and nothing that came since."""
    return ("rollback", revision, ground.served)


async def _sheet(
    ground: PolicyGround, revision: units.Revision, caller: Caller, request: Request, refusal: str = ""
) -> Response:
    readings, problems = ground.policies.readings, list[str]()
    reading, sources, tests = None, await readings.sources(revision), await readings.tests(revision)
    try:
        reading = await readings.of(revision, caller.id)
    except PolicyErrors as errors:
        problems = problem_texts(errors.problems)
    return revision_page(
        RevisionSheet(
            revision=revision,
            served=ground.served,
            change=next((change for change in await ground.versions() if change.revision == revision), None),
            sources=sources,
            tests=tests,
            reading=reading,
            problems=problems,
            opas=ground.board.states(),
            may_publish=may_publish(caller),
            seal=ground.pages.seal_of(_words(ground, revision), caller.person, request),
            cautions=await ground.policies.releases.cautions() if revision == ground.served else (),
            refusal=refusal,
        ),
        frame_of(request),
    )


def _add_looks(people: APIRouter, ground: PolicyGround) -> None:
    """What is below the page of a revision and changes nothing."""
    readings = ground.policies.readings

    @people.get("/policies/{revision}/file", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)])
    async def show_policy_file_page(revision: Revision, name: Name, caller: Asker, request: Request) -> Response:
        """Show one file of it."""
        file = file_name(name)
        text = (await ground.texts(revision, file.folder)).get(file.path)
        if text is None:
            raise HttpProblem(404, "the revision has no such file")
        can_edit = may_publish(caller) and revision == ground.served
        return file_page(revision, file, text, can_edit, frame_of(request))

    @people.get("/policies/{revision}/changes", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)])
    async def show_policy_changes_page(revision: Revision, since: Since, caller: Asker, request: Request) -> Response:
        """Show what it differs in from another one."""
        sources = await readings.sources(since), await readings.sources(revision)
        changes: tuple[ReleaseChange, ...] | None = None
        try:
            before, after = await readings.of(since, caller.id), await readings.of(revision, caller.id)
            changes = await readings.changes(before, after, caller.id)
        except PolicyErrors:
            changes = None
        return await asyncio.to_thread(changes_page, revision, since, sources, changes, frame_of(request))

    @people.post(
        "/policies/{revision}/tests",
        include_in_schema=False,
        # it changes nothing, so that it is no line of the change log
        dependencies=[needs(Permission.READ_POLICIES, is_logged=False)],
    )
    async def run_policy_tests_on_page(revision: Revision, caller: Asker, request: Request) -> Response:
        """Run its tests."""
        ground.pages.require_same_site(request)
        frame = frame_of(request)
        try:
            reading, tests = await readings.of(revision, caller.id), await readings.tests(revision)
            report = await ground.policies.laboratory.report(reading.loaded, tests, caller.id)
        except PolicyErrors as errors:
            return tests_page(revision, None, "", False, problem_texts(errors.problems), frame)
        except TrialServerMissing as missing:
            return tests_page(revision, None, str(missing), True, (), frame)
        except (TrialsFault, LaboratoryBusy) as fault:
            return tests_page(revision, None, str(fault), False, (), frame)
        return tests_page(revision, report, "", False, (), frame)
