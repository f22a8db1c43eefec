"""Held calls as access requests of the OpenID AuthZEN Access Request and Approval Profile 1.0, draft 1.

A call that is held has its approval already: a submission finds it, proves that it is about that very call, and is
given a handle to watch it by. Nothing is opened and nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum

from pydantic import ValidationError

from aegis_authz.api.access_requests import (
    AccessRequest,
    ActionPart,
    ActorLink,
    ApprovalReference,
    ApprovalResult,
    ClientPart,
    DenialPart,
    ItemPart,
    ResourcePart,
    SubjectPart,
    TaskAction,
    TaskAnswer,
    TaskHandle,
    TaskItem,
    TaskLinks,
    TaskProgress,
    TaskResource,
    TaskStatus,
)
from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.acts import Note
from aegis_authz.control.approvals.callbacks import CallbackDesk
from aegis_authz.control.approvals.tasks import (
    STATUSES,
    approval_names,
    bundle_id,
    is_bundle,
    joint_status,
    task_url,
)
from aegis_authz.control.gate import Caller
from aegis_authz.control.http import HttpProblem
from aegis_authz.core.approval import MAX_APPROVAL_LIFE, Approval, ApprovalNotFound, ApprovalRequest, ApprovalState
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.json_value import Json
from aegis_authz.core.person import Domain
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.people.permissions import Permission, may
from aegis_authz.policy.source.problems import printable
from aegis_authz.ports.control_plane import SingleUses

_KEY_LIFE = Seconds(MAX_APPROVAL_LIFE + 86400.0)
"""How long an idempotency key is remembered, in seconds: a day past the end of the longest approval."""


class TaskProblem(Enum):
    """The problems that the profile defines, each with its status."""

    NOT_REQUESTABLE = ("not_requestable", 400)
    EXPIRED_DENIAL = ("expired_denial", 410)
    INVALID_DENIAL_BINDING = ("invalid_denial_binding", 400)
    DUPLICATE_REQUEST = ("duplicate_request", 409)
    UNKNOWN_TASK = ("unknown_task", 404)

    def because(self, detail: str) -> HttpProblem:
        """The problem, as it ends a request."""
        name, status = self.value
        return HttpProblem(status, detail, type_uri=f"urn:openid:authzen:access-request:error:{name}")


class AccessRequestDesk:
    """Takes access requests for calls that are held, and tells how they stand. `base` is where people reach it."""

    def __init__(self, approver: Approver, uses: SingleUses, note: Note, callbacks: CallbackDesk, base: str) -> None:
        self._approver = approver
        self._uses = uses
        self._note = note
        self._callbacks = callbacks
        self._base = base.rstrip("/")

    async def submit(self, caller: Caller, body: AccessRequest, key: str, digest: str) -> TaskAnswer:
        """The task of the held calls that it is about; `digest` is of the body, and `key` "" or what names it.

        Raises HttpProblem, StoreDown, DatabaseFault.
        """
        self._callbacks.require(caller, body.callback)
        approvals = [
            await self._bound(caller, body.subject, row, row.denial or body.denial, body.client) for row in _rows(body)
        ]
        await self._require_one_body(caller, key, digest)
        why = body.context.get("business_justification")
        for approval in approvals:
            request = approval.request
            reason = printable(why if isinstance(why, str) else "")[:MOST_NOTE]
            await self._note(caller.person, "approvals:request", request.id, str(Domain.of(request.scope)), reason)
        answer = self._answer(caller, approvals, is_bundle=body.items is not None)
        if answer.task.status is TaskStatus.PENDING:  # of what is settled, this answer tells
            await self._callbacks.enter(caller, body.callback, answer.task.id)
        return answer

    async def task(self, caller: Caller, task_id: str) -> TaskAnswer:
        """How the task stands. Raises HttpProblem, StoreDown."""
        approvals = [await self._visible(caller, name) for name in approval_names(task_id)]
        if None in approvals:
            raise TaskProblem.UNKNOWN_TASK.because("there is no such task, or its time is long over")
        visible = [approval for approval in approvals if approval is not None]
        return self._answer(caller, visible, is_bundle=is_bundle(task_id))

    async def _visible(self, caller: Caller, name: str) -> Approval | None:
        try:
            approval = await self._approver.get(ApprovalId(name))
        except ApprovalNotFound:
            return None
        return approval if caller.may_for(approval.request.scope) else None

    async def _bound(
        self, caller: Caller, subject: SubjectPart, row: ItemPart, denial: DenialPart | None, client: ClientPart | None
    ) -> Approval:
        """The approval of the held call that this is about, and provably about no other."""
        if denial is None or denial.evaluation_id is None:
            raise _unbound("it names no denial: evaluation_id is the approval's id in the answer that held the call")
        if denial.binding_token is not None:
            raise _unbound("no binding_token is issued here, so that none can be verified")
        approval = await self._visible(caller, denial.evaluation_id)
        if approval is None:
            raise _unbound("evaluation_id names no call that is held")
        _require_same_call(approval.request, subject, row.resource, row.action)
        _require_actors(approval.request, subject, client)
        if approval.state is ApprovalState.EXPIRED:
            raise TaskProblem.EXPIRED_DENIAL.because("the time of the held call is over; it is held anew when repeated")
        if approval.state is ApprovalState.STALE:
            raise TaskProblem.NOT_REQUESTABLE.because("what judges the call was changed; it is held anew when repeated")
        return approval

    async def _require_one_body(self, caller: Caller, key: str, digest: str) -> None:
        if not key:
            return
        name = f"{len(caller.id)}:{caller.id}:{key}"
        if await self._uses.claim("access-request", name, _KEY_LIFE, digest) != digest:
            raise TaskProblem.DUPLICATE_REQUEST.because("this Idempotency-Key came with another body before")

    def _answer(self, caller: Caller, approvals: Sequence[Approval], *, is_bundle: bool) -> TaskAnswer:
        if not is_bundle:
            return self._single(caller, approvals[0])
        task_id = bundle_id([approval.request.id for approval in approvals])
        rows = [_row(approval) for approval in approvals]
        status = joint_status([row.status for row in rows])
        endpoint = task_url(self._base, task_id)
        return TaskAnswer(task=TaskHandle(id=task_id, status=status, status_endpoint=endpoint, items=rows))

    def _single(self, caller: Caller, approval: Approval) -> TaskAnswer:
        request = approval.request
        progress, links = None, None
        if request.approvals > 1 and approval.state is ApprovalState.PENDING:
            progress = TaskProgress(current_step=len(approval.approved_by) + 1, total_steps=request.approvals)
        if may(caller.person, Permission.DECIDE_APPROVALS, Domain.of(request.scope)):
            links = TaskLinks(review=f"{self._base}/approvals/{request.id}")
        task = TaskHandle(
            id=request.id,
            status=STATUSES[approval.state],
            status_endpoint=task_url(self._base, request.id),
            progress=progress,
            links=links,
        )
        return TaskAnswer(task=task, result=_result(approval))


def _rows(body: AccessRequest) -> Sequence[ItemPart]:
    if body.items is not None:
        return body.items
    if body.resource is None or body.action is None:
        raise HttpProblem(400, "must have resource and action, or items")
    return [ItemPart(resource=body.resource, action=body.action, denial=body.denial)]


def _row(approval: Approval) -> TaskItem:
    request = approval.request
    return TaskItem(
        resource=TaskResource(type="tool", id=request.tool),
        action=TaskAction.model_validate({"name": request.action, "properties": dict(request.parameters)}),
        status=STATUSES[approval.state],
        result=_result(approval),
    )


def _result(approval: Approval) -> ApprovalResult | None:
    if STATUSES[approval.state] is not TaskStatus.APPROVED or approval.decided_at is None:
        return None
    reference = ApprovalReference(
        id=approval.request.id,
        approved_at=_rfc3339(approval.decided_at),
        approved_until=_rfc3339(approval.request.expires_at),
    )
    return ApprovalResult(mode="reevaluate", approval=reference)


def _rfc3339(moment: Epoch) -> str:
    # cut, not rounded: nobody is told that an approval lasts longer than it does
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _require_same_call(
    request: ApprovalRequest, subject: SubjectPart, resource: ResourcePart, action: ActionPart
) -> None:
    """Refuse what is not, member by member, the call that is held: the profile's section on binding integrity."""
    if (subject.type, subject.id) != ("agent", str(request.scope)) or subject.properties.keys() - {"act"}:
        raise _unbound("subject is not the agent whose call is held")
    if (resource.type, resource.id) != ("tool", request.tool) or resource.properties:
        raise _unbound("resource is not the tool of the held call")
    if action.name != request.action or not same_json(action.properties, request.parameters):
        raise _unbound("action is not that of the held call, with all of its parameters as properties")


def _require_actors(request: ApprovalRequest, subject: SubjectPart, client: ClientPart | None) -> None:
    """Refuse a chain of actors that the token of the held call did not show."""
    chain = request.besides.get("acted_by")
    proven = list(chain) if isinstance(chain, list) else []
    actor = None if client is None else client.actor
    if actor is not None:
        _require_chain(ActorLink(sub=actor.id, iss=actor.issuer, act=actor.act), proven)
    if "act" in subject.properties:
        try:
            link = ActorLink.model_validate(subject.properties["act"])
        except ValidationError:
            raise _unbound("subject.properties.act is no chain of actors") from None
        _require_chain(link, proven)


def _require_chain(link: ActorLink, proven: Sequence[Json]) -> None:
    names: list[Json] = []
    step: ActorLink | None = link
    while step is not None:
        if step.iss is not None:
            raise _unbound("by whom an actor is named is not kept, so that it cannot be verified")
        names.append(step.sub)
        step = step.act
    if names != proven:
        raise _unbound("the actors are not those of the token that the held call came with")


def _unbound(detail: str) -> HttpProblem:
    return TaskProblem.INVALID_DENIAL_BINDING.because(detail)


def same_json(left: Json, right: Json) -> bool:
    """Whether two values are equal member by member: an absent member is not null, and true is not 1.

    Numbers are equal where their values are, exactly: canonical JSON (RFC 8785) would take integers beyond 2**53 for
    their neighbours.
    """
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_json(value, right[name]) for name, value in left.items())
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and isinstance(right, str) and left == right
    if isinstance(left, Sequence) and isinstance(right, Sequence):
        return len(left) == len(right) and all(map(same_json, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right
