"""The access request endpoint of the OpenID AuthZEN Access Request and Approval Profile, and that of its tasks."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request, Response

from aegis_authz.api.access_requests import AccessRequest, TaskAnswer, TaskStatus
from aegis_authz.control.approvals.access_requests import AccessRequestDesk
from aegis_authz.control.approvals.tasks import PATH
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem, StrictRequest
from aegis_authz.core.approval import MAX_SHOWN_BYTES
from aegis_authz.people.permissions import Permission

_MAX_BODY_BYTES = 8 * MAX_SHOWN_BYTES

TaskId = Annotated[str, Path(description="`task.id` of the answer to the access request.", max_length=1024)]
IdempotencyKey = Annotated[
    str,
    Header(alias="Idempotency-Key", max_length=255, description="Names the submission: another body is refused."),
]


def access_request_routes(desk: AccessRequestDesk, authentication: Authentication) -> list[APIRouter]:
    """`/access/v1/requests`, for who may read approvals where the held call is."""
    people = people_router(authentication, _MAX_BODY_BYTES)

    @people.post(
        PATH,
        dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH, is_logged=False)],
        status_code=202,
        response_model_exclude_none=True,
        responses={201: {"model": TaskAnswer, "description": "It was decided already."}},
    )
    async def submit_access_request(
        body: AccessRequest, request: Request, response: Response, caller: Asker, idempotency_key: IdempotencyKey = ""
    ) -> TaskAnswer:
        """Ask for a decision on calls that are held (OpenID AuthZEN, access request and approval profile)."""
        answer = await desk.submit(caller, body, idempotency_key, _digest(request))
        response.headers["location"] = answer.task.status_endpoint
        if answer.task.status is not TaskStatus.PENDING:
            response.status_code = 201
        return answer

    @people.get(
        f"{PATH}/{{task_id}}",
        dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)],
        response_model_exclude_none=True,
    )
    async def get_access_request(task_id: TaskId, response: Response, caller: Asker) -> TaskAnswer:
        """Tell how an access request stands, and once it is approved, what to repeat the call with."""
        answer = await desk.task(caller, task_id)
        if answer.task.status is TaskStatus.PENDING:
            response.headers["retry-after"] = "2"
        return answer

    return [people]


def _digest(request: Request) -> str:
    """Of what was sent, whatever the order of its members."""
    if not isinstance(request, StrictRequest):
        raise HttpProblem(400, "the body is not acceptable JSON")
    text = json.dumps(request.parsed, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
