"""Access requests of the OpenID AuthZEN Access Request and Approval Profile 1.0, draft 1, and the tasks they become."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator
from pydantic_core import PydanticCustomError

from aegis_authz.api.model import Answer, Request

MOST_ITEMS = 20
"""The most calls that are asked for at once: as many as one agent can have waiting."""


def _moment(text: str) -> str:
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        raise PydanticCustomError("moment", "must be a moment of RFC 3339") from None
    return text


Text = Annotated[str, Field(min_length=1, max_length=512)]
Moment = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$",
        json_schema_extra={"format": "date-time"},
    ),
    AfterValidator(_moment),
]
"""A moment, as RFC 3339 writes it."""


class SubjectPart(Request):
    """The agent whose call is held: `id` is `org/tenant/agent`. Of `properties` there may be `act` alone."""

    type: Text
    id: Text
    properties: dict[str, JsonValue] = Field(default_factory=dict)


class ResourcePart(Request):
    """The tool of the held call; it has no properties."""

    type: Text
    id: Text
    properties: dict[str, JsonValue] = Field(default_factory=dict)


class ActionPart(Request):
    """The action of the held call; `properties` are its parameters, all of them."""

    name: Text
    properties: dict[str, JsonValue] = Field(default_factory=dict)


class DenialPart(Request):
    """The answer that held the call: `evaluation_id` is the `approval.id` in it. No `binding_token` is issued here."""

    evaluation_id: Text | None = None
    evaluated_at: Moment | None = None
    expires_at: Moment
    reason: Text | None = None
    binding_token: str | None = None
    template: Text | None = None


class ActorLink(BaseModel):
    """One who acts, and through whom in turn (the `act` claim of RFC 8693 section 4.1)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    sub: Text
    iss: Text | None = None
    act: ActorLink | None = None


class ActorPart(BaseModel):
    """Through whom the agent acts, nearest first. It is held against what the agent's token said."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    id: Text
    issuer: Text | None = None
    type: Text | None = None
    act: ActorLink | None = None


class ClientPart(BaseModel):
    """Who says that it submits this. Who it is, is told by what it bears."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    id: Text | None = None
    name: Text | None = None
    actor: ActorPart | None = None
    source: dict[str, JsonValue] = Field(default_factory=dict)


class CallbackPart(BaseModel):
    """Where the end of the task is to be posted: an `endpoint` of the settings, to the letter.

    `state` is sent back as it is. `events` are the endings that are told of, all without them; what is no ending here
    is none that comes.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    endpoint: Annotated[str, Field(min_length=1, max_length=1024)]
    state: Annotated[str, Field(max_length=2048)] | None = None
    events: Annotated[list[Text], Field(max_length=32)] | None = None


class ItemPart(Request):
    """One call of several that are asked for at once, and the answer that held it."""

    resource: ResourcePart
    action: ActionPart
    requested_access: dict[str, JsonValue] = Field(default_factory=dict)
    denial: DenialPart | None = None


class AccessRequest(Request):
    """A held call, or several `items` of one agent, that a person shall decide.

    Of `context` the `business_justification` is kept; nothing of `requested_access` changes what an approval is for.
    """

    subject: SubjectPart
    resource: ResourcePart | None = None
    action: ActionPart | None = None
    items: Annotated[list[ItemPart], Field(min_length=1, max_length=MOST_ITEMS)] | None = None
    context: dict[str, JsonValue] = Field(default_factory=dict)
    denial: DenialPart | None = None
    requested_access: dict[str, JsonValue] = Field(default_factory=dict)
    client: ClientPart | None = None
    callback: CallbackPart | None = None

    @model_validator(mode="after")
    def _is_one_or_several(self) -> AccessRequest:
        single = (self.resource is not None, self.action is not None)
        if single != (self.items is None, self.items is None):
            raise PydanticCustomError("items", "must have resource and action, or items, and not both")
        return self


class TaskStatus(Enum):
    """Where a task stands, in the profile's words. PARTIAL is several calls of which not all ended alike."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PARTIAL = "partial"


class ApprovalReference(Answer):
    """The approval of the call. It is no right by itself: the call is repeated, unchanged, and judged once more."""

    id: str
    approved_at: str
    approved_until: str


class ApprovalResult(Answer):
    """What is to be done now that it is approved."""

    mode: Literal["reevaluate"]
    approval: ApprovalReference


class TaskProgress(Answer):
    """How many people have approved, of as many as must."""

    current_step: int
    total_steps: int


class TaskLinks(Answer):
    """The page on which the call is decided; only who may decide it is shown it."""

    review: str


class TaskResource(Answer):
    """The tool of one call."""

    type: str
    id: str


class TaskAction(Answer):
    """The action of one call and its parameters."""

    name: str
    properties: dict[str, JsonValue]


class TaskItem(Answer):
    """One call of several, and where it stands."""

    resource: TaskResource
    action: TaskAction
    status: TaskStatus
    result: ApprovalResult | None = None


class TaskHandle(Answer):
    """An access request under way, or decided."""

    id: str
    status: TaskStatus
    status_endpoint: str
    progress: TaskProgress | None = None
    links: TaskLinks | None = None
    items: list[TaskItem] | None = None


class TaskAnswer(Answer):
    """A task, and what came of it; of several calls each has a result of its own."""

    task: TaskHandle
    result: ApprovalResult | None = None
