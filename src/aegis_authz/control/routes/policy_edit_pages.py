"""The pages on which whoever may publish edits documents, looks at what that does, and publishes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.approvals.standing_decision import FOLDER
from aegis_authz.control.gate import Asker, Authentication, Caller, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages import Form
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.policy_editing import FIELD, EditSheet, edit_page
from aegis_authz.control.policies.editing import Edition, FileName, Folder
from aegis_authz.control.policies.trials import NotTried
from aegis_authz.control.routes.policy_ground import WAIT, PolicyGround, file_name, problem_texts
from aegis_authz.core.proposal import ProposalWaits
from aegis_authz.core.release import ReleaseConflict
from aegis_authz.core.units import Revision
from aegis_authz.people.permissions import Permission
from aegis_authz.policy.source.binaries import is_binary
from aegis_authz.policy.source.problems import PolicyErrors

Files = Annotated[list[str], Query(alias="file", min_length=1, max_length=8)]
_MOST_TEXT = 64 * 1024
"""Characters of all files that a page edits at once."""
_MOST_FORM = 6 * _MOST_TEXT + 16 * 1024
_TEST = "_test"
"""How the name of a file of policy tests ends, before its suffix."""


def policy_edit_page_routes(ground: PolicyGround, authentication: Authentication) -> list[APIRouter]:
    """`/policies/edit`."""
    people = people_router(authentication, takes_forms=True)
    policies = ground.policies

    @people.get("/policies/edit", include_in_schema=False, dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def show_policy_edit_page(files: Files, caller: Asker, request: Request) -> Response:
        """Show files of what is served, a policy with the tests of its name; one that is not there yet is empty."""
        edition = Edition(ground.served, _editable(await _opened(ground, [*map(file_name, files)])))
        return edit_page(_sheet(ground, edition, caller, request), frame_of(request))

    @people.post(
        "/policies/edit/review",
        include_in_schema=False,
        dependencies=[needs(Permission.PUBLISH_POLICIES, is_logged=False)],  # it changes nothing
    )
    async def review_policies_on_page(caller: Asker, request: Request) -> Response:
        """Say what the edited files do; nothing is published."""
        edition, message = await _edition(ground, caller, request)
        review = await policies.editor.review(edition, caller.id)
        sheet = replace(
            _sheet(ground, edition, caller, request),
            message=message,
            review=review,
            problems=problem_texts(review.problems),
        )
        return edit_page(sheet, frame_of(request))

    @people.post("/policies/edit", include_in_schema=False, dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def publish_policies_on_page(caller: Asker, request: Request) -> Response:
        """Publish the edited files with all others that are served; a refusal is told beside them."""
        edition, message = await _edition(ground, caller, request)
        refusal, problems = "", list[str]()
        try:
            sources, tests = await policies.editor.documents(edition)
            release = await policies.releases.publish(sources, tests, caller.person, message, WAIT, edition.base)
        except ProposalWaits as waits:
            return RedirectResponse(f"/policies/proposals/{waits.proposal.id}", status_code=303)
        except PolicyErrors as errors:
            problems = problem_texts(errors.problems)
        except (NotTried, ReleaseConflict) as fault:
            refusal = f"Nothing changed. {fault}"
        else:
            return RedirectResponse(f"/policies/{release.published.revision}", status_code=303)
        sheet = _sheet(ground, edition, caller, request)
        words = refusal or "Nothing changed: what you wrote cannot be published as it is."
        return edit_page(replace(sheet, message=message, problems=problems, refusal=words), frame_of(request))

    return [people]


async def _opened(ground: PolicyGround, names: Sequence[FileName]) -> dict[FileName, str]:
    """Files of what is served, a policy with the tests of its name; "" for one that is not there."""
    texts = {name: await _text(ground, name) for name in names}
    for name in names:
        path = PurePosixPath(name.path)
        beside = FileName(Folder.TESTS, str(path.with_name(f"{path.stem}{_TEST}{path.suffix}")))
        if name.folder is Folder.POLICIES and (text := await _text(ground, beside)):
            texts.setdefault(beside, text)
    return texts


async def _text(ground: PolicyGround, name: FileName) -> str:
    return (await ground.texts(ground.served, name.folder)).get(name.path, "") if ground.served else ""


async def _edition(ground: PolicyGround, caller: Caller, request: Request) -> tuple[Edition, str]:
    """What a form of ours brings back, and why. Raises HttpProblem."""
    form = await Form.read(request, _MOST_FORM)
    edition = Edition(Revision(form.fields.get("base", "")), _texts(form))
    ground.pages.require_seal_of(form, _words(edition), caller.person, request)
    return edition, form.text("message")


def _sheet(ground: PolicyGround, edition: Edition, caller: Caller, request: Request) -> EditSheet:
    seal = ground.pages.seal_of(_words(edition), caller.person, request)
    return EditSheet(edition.base, edition.texts, seal)


def _words(edition: Edition) -> tuple[str, ...]:
    """What a form is sealed by: the revision and the files that it was rendered for, whatever is written into them."""
    return ("edit", edition.base, *sorted(map(str, edition.texts)))


def _texts(form: Form) -> Mapping[FileName, str]:
    """What was written into the files of a form. Raises HttpProblem."""
    fields = {name.removeprefix(FIELD): text for name, text in form.fields.items() if name.startswith(FIELD)}
    return _editable({file_name(name): text.replace("\r\n", "\n") for name, text in fields.items()})


def _editable(texts: Mapping[FileName, str]) -> Mapping[FileName, str]:
    for name, text in texts.items():
        if is_binary(name.path):
            raise HttpProblem(400, f"{name} is no text: aegis policy publish sends it with its folder")
        if name.folder is Folder.POLICIES and name.path.startswith(FOLDER):
            raise HttpProblem(400, f"{name} is a standing decision: it is changed where it was made, at its approval")
        if name.folder is not Folder.TESTS and PurePosixPath(name.path).stem.endswith(_TEST):
            raise HttpProblem(400, f"{name} would be read as tests: call it tests/{name.path}")
        if len(text) > _MOST_TEXT:
            raise HttpProblem(413, f"{name} is too long for a page: edit it in its folder, and aegis policy publish it")
    if sum(map(len, texts.values())) > _MOST_TEXT:
        raise HttpProblem(413, f"a page edits {_MOST_TEXT} characters at once: open fewer files")
    return texts
