"""The policy document: what a security engineer writes, as exact, immutable types."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from aegis_authz.policy.checking import Part
from aegis_authz.policy.words import (
    ANY,
    LISTED,
    SOME,
    UNIQUE,
    AnyScalar,
    EgressHost,
    Name,
    NameOrAny,
    Number,
    ParameterKind,
    Pointer,
    Words,
)

MAX_APPROVAL_LIFE = 7 * 86400
"""The longest an approval may be waited for and used, in seconds."""


class ParameterRule(Part):
    """What one parameter must be. A parameter with a rule must be present unless `optional`."""

    optional: bool = False
    type: ParameterKind | None = None
    equals: AnyScalar | None = None
    allowed: Annotated[tuple[AnyScalar, ...], LISTED, SOME, UNIQUE] | None = Field(default=None, alias="in")
    not_in: Annotated[tuple[AnyScalar, ...], LISTED, SOME, UNIQUE] | None = None
    min: Number | None = None
    max: Number | None = None
    matches: str | None = None
    starts_with: Annotated[str, Field(min_length=1)] | None = None
    approval_needed_over: Number | None = None
    approval_needed_in: Annotated[tuple[AnyScalar, ...], LISTED, SOME, UNIQUE] | None = None


class Conditions(Part):
    """Conditions of a rule: `parameters`, and the short forms `max_X`, `min_X`, `approval_needed_over[_X]`."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Number]

    parameters: dict[Words, ParameterRule] = Field(default_factory=dict)

    @property
    def short_forms(self) -> dict[str, int | float]:
        return self.__pydantic_extra__


class Redaction(Part):
    """What to redact in a body: what detectors find, and what JSON pointers name."""

    detectors: Annotated[tuple[Name, ...], LISTED, UNIQUE] = ()
    fields: Annotated[tuple[Pointer, ...], LISTED, UNIQUE] = ()

    @model_validator(mode="after")
    def _redacts_something(self) -> Redaction:
        if not self.detectors and not self.fields:
            raise ValueError("names neither detectors nor fields")
        return self


class Sanitize(Part):
    """Redactions of the request on its way to the tool and of the response on its way back."""

    request: Redaction | None = None
    response: Redaction | None = None

    @model_validator(mode="after")
    def _sanitizes_something(self) -> Sanitize:
        if self.request is None and self.response is None:
            raise ValueError("names neither request nor response")
        return self


class Approval(Part):
    """Who may approve (any approver when `groups` is empty), for how many seconds, and whether always needed."""

    groups: Annotated[tuple[Words, ...], LISTED, UNIQUE] = ()
    expires_in: Annotated[Number, Field(gt=0, le=MAX_APPROVAL_LIFE)] = 900
    always: bool = False


class ToolRule(Part):
    """One entry of `allowed_tools`."""

    name: Name
    actions: Annotated[tuple[Words, ...], LISTED, SOME, UNIQUE]
    conditions: Conditions = Field(default_factory=lambda: Conditions.model_validate({}))
    sanitize: Sanitize | None = None
    approval: Approval | None = None

    @model_validator(mode="after")
    def _any_stands_alone(self) -> ToolRule:
        if ANY in self.actions and len(self.actions) > 1:
            raise ValueError('"*" already means every action; leave the others out')
        return self


class Egress(Part):
    """Which hosts outside the catalogue are known to the agent's owner. Everything else is refused as foreign."""

    default: Literal["deny"] = "deny"
    allow: Annotated[tuple[EgressHost, ...], LISTED, UNIQUE] = ()


class PolicyDocument(Part):
    """One policy document. `org`, `tenant` and `agent` may be "*" for all."""

    org: NameOrAny = ANY
    tenant: NameOrAny = ANY
    agent: NameOrAny
    mode: Literal["enforce", "shadow"] = "enforce"
    name: Words | None = None
    description: str = ""
    owner: Words | None = None
    ticket: Words | None = None
    disclose_limits: bool = False
    allowed_tools: Annotated[tuple[ToolRule, ...], LISTED] = ()
    egress: Egress = Egress()

    @property
    def scope(self) -> str:
        """`org/tenant/agent`."""
        return f"{self.org}/{self.tenant}/{self.agent}"

    @property
    def title(self) -> str:
        """The name decisions give as theirs."""
        return self.name or self.scope
