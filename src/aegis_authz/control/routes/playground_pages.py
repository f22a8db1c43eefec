"""The page on which whoever may read policies tries a call. It changes nothing, and is no line of the change log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.gate import Asker, Authentication, Caller, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.playground import PlaygroundSheet, playground_page
from aegis_authz.control.policies.laboratory import LaboratoryBusy
from aegis_authz.control.policies.trials import TrialServerMissing, TrialsFault
from aegis_authz.control.routes.policy_ground import PolicyGround, problem_texts
from aegis_authz.core import units
from aegis_authz.core.release import REVISION
from aegis_authz.lab.call_drafts import call_text, draft_of
from aegis_authz.people.permissions import Permission
from aegis_authz.policy.source.problems import PolicyErrors

AnyRevision = Annotated[str, Query(max_length=128)]
Agent = Annotated[str, Query(max_length=256)]
Action = Annotated[str, Query(max_length=600, description="TOOL/ACTION.")]
_MOST_CALL = 64 * 1024
"""Bytes of the form of a call."""
_MOST_REVISIONS = 30


def playground_page_routes(
    ground: PolicyGround, authentication: Authentication, now: Callable[[], units.Epoch]
) -> list[APIRouter]:
    """`/playground`."""
    people = people_router(authentication, takes_forms=True)

    @people.get("/playground", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)])
    async def show_playground_page(
        caller: Asker, request: Request, revision: AnyRevision = "", agent: Agent = "", action: Action = ""
    ) -> Response:
        """Offer a call that a policy of the revision speaks of, or of that agent and action."""
        sheet = await _blank(ground, caller, revision, "")
        if sheet.loaded is not None:
            tool, _, name = action.partition("/")
            draft = draft_of(sheet.loaded, agent, tool, name)
            when = datetime.fromtimestamp(now(), UTC).isoformat(timespec="seconds")
            sheet = replace(sheet, text=call_text({**draft, "context": {"time": when}}) if draft else "")
        return playground_page(sheet, frame_of(request))

    @people.post(
        "/playground", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES, is_logged=False)]
    )
    async def try_call_on_page(caller: Asker, request: Request) -> Response:
        """Try the call of the form."""
        ground.pages.require_same_site(request)
        form = await Form.read(request, _MOST_CALL)
        text = form.fields.get("call", "").replace("\r\n", "\n")
        sheet, frame = await _blank(ground, caller, form.fields.get("revision", ""), text), frame_of(request)
        if sheet.loaded is None:
            return playground_page(sheet, frame)
        try:
            trial = await ground.policies.laboratory.explain(sheet.loaded, text, caller.id)
        except PolicyErrors as errors:
            return playground_page(replace(sheet, problems=problem_texts(errors.problems)), frame)
        except TrialServerMissing as missing:
            return playground_page(replace(sheet, untried=str(missing), missing=True), frame)
        except (TrialsFault, LaboratoryBusy) as fault:
            return playground_page(replace(sheet, untried=str(fault)), frame)
        return await asyncio.to_thread(playground_page, replace(sheet, trial=trial), frame)

    return [people]


async def _blank(ground: PolicyGround, caller: Caller, name: str, text: str) -> PlaygroundSheet:
    """The page of a revision, "" for the one that is served, before anything is tried. Raises HttpProblem."""
    revision = name or ground.served
    if REVISION.match(revision) is None:
        raise HttpProblem(404, "there is no such revision" if revision else "nothing was published yet")
    loaded, problems = None, list[str]()
    try:
        loaded = (await ground.policies.readings.of(units.Revision(revision), caller.id)).loaded
    except PolicyErrors as errors:
        problems = problem_texts(errors.problems)
    latest = [*dict.fromkeys(change.revision for change in await ground.versions())][:_MOST_REVISIONS]
    return PlaygroundSheet(units.Revision(revision), latest, ground.served, loaded, text, problems=problems)
