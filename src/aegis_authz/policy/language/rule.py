"""One rule of a document: which calls it is about, under which conditions, and what it then demands."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, ConfigDict, Field, PrivateAttr, model_validator
from pydantic.json_schema import SkipJsonSchema

from aegis_authz.core.approval import MAX_APPROVAL_LIFE, MOST_APPROVERS, MOST_HOLD
from aegis_authz.policy.language.limits import Duration, Limited, seconds_of
from aegis_authz.policy.language.types import (
    ANY,
    LISTED,
    NOT_EMPTY,
    ONE_OR_MORE,
    UNIQUE,
    ChannelPlace,
    Day,
    HeaderName,
    HeaderPrefix,
    HeaderValue,
    JsonSchema,
    Name,
    Number,
    Pointer,
    Words,
)
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.language.values import ParameterRule, TimeRule

Asking = TypeVar("Asking", bound=Part)


def _of_something(part: Asking) -> Asking:
    """A part that asks for something. An empty one, as templates leave it, would let everything pass."""
    if not part.model_fields_set:
        raise ValueError("asks for nothing; leave it out where nothing is asked")
    return part


class ContextConditions(Part):
    """What must be true around a call: when, where, from where, for whom and through whom it is made."""

    time: TimeRule | None = None
    environment: ParameterRule | None = None
    source: ParameterRule | None = None
    on_behalf_of: ParameterRule | None = None
    acted_by: ParameterRule | None = None
    session: ParameterRule | None = None
    token_age: ParameterRule | None = None
    region: ParameterRule | None = None

    @model_validator(mode="after")
    def _asks_something(self) -> ContextConditions:
        return _of_something(self)


class Conditions(Part):
    """Conditions of a rule: on parameters, in short (`max_X`, `min_X`, `approval_needed_over[_X]`),
    and around the call.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Number]

    parameters: dict[Words, Annotated[tuple[ParameterRule, ...], ONE_OR_MORE, NOT_EMPTY]] = Field(
        default_factory=dict, min_length=1
    )
    context: ContextConditions = Field(default_factory=ContextConditions.model_construct)
    arguments: JsonSchema | None = Field(default=None, alias="schema")

    @model_validator(mode="after")
    def _asks_something(self) -> Conditions:
        return _of_something(self)

    @property
    def short_forms(self) -> dict[str, int | float]:
        return self.__pydantic_extra__


class DetectorDefinition(Part):
    """A detector of one's own: an RE2 pattern, and what proves a match."""

    pattern: Annotated[str, Field(min_length=1)]
    validator: Literal["luhn", "mod_97", "us_ssn"] | None = None


class NamedDetector(DetectorDefinition):
    """A detector of one's own, with its name, as a rule uses it."""

    name: Name


class Redaction(Part):
    """What to redact in a body: what detectors find, and what JSON pointers name.

    `match: loose` takes for values what is one in most texts, `numbers` lets a text take the place of a JSON number
    that a detector finds, `opaque: pass` lets through what cannot be looked at. `own` are detectors that policy
    defines; they are written among the others.
    """

    detectors: Annotated[tuple[Name, ...], LISTED, UNIQUE] = ()
    fields: Annotated[tuple[Pointer, ...], LISTED, UNIQUE] = ()
    match: Literal["strict", "loose"] = "strict"
    numbers: bool = False
    opaque: Literal["withhold", "pass"] = "withhold"
    own: SkipJsonSchema[Annotated[tuple[NamedDetector, ...], LISTED]] = ()

    @model_validator(mode="before")
    @classmethod
    def _own_apart(cls, value: object) -> object:
        """Own detectors, which `define` put in the place of their names, stand apart from the names of the others."""
        if not isinstance(value, dict) or not isinstance(value.get("detectors"), list):
            return value
        own = [detector for detector in value["detectors"] if isinstance(detector, dict)]
        if not own or "own" in value:
            return value
        return {**value, "detectors": [detector for detector in value["detectors"] if detector not in own], "own": own}

    @model_validator(mode="after")
    def _redacts_something(self) -> Redaction:
        if not self.detectors and not self.fields and not self.own:
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


def _hold(value: str) -> str:
    if seconds_of(value) > MOST_HOLD:
        raise ValueError(f"{value} is too long: a request is kept open for at most {MOST_HOLD}s")
    return value


Hold = Annotated[Duration, AfterValidator(_hold)]
"""How long a request is kept open while a person decides."""


class Approval(Part):
    """Who approves (any approver when `groups` is empty), for how many seconds, and whether always needed.

    So many people of the groups as `approvals` says must approve, and each types the values of the parameters in
    `confirm`. `notify` are places of channels that the control plane has, such as `slack:#finance`. For as long as
    `hold` the request is kept open: decided within it, its answer is that of the tool. `proof: signed_in` takes no
    word that another service hands on, such as a press of a button in a chat. `unattended: deny` denies what nobody
    decided while the request was kept open, which else waits on.
    """

    groups: Annotated[tuple[Words, ...], LISTED, UNIQUE] = ()
    expires_in: Annotated[Number, Field(gt=0, le=MAX_APPROVAL_LIFE)] = 900
    approvals: Annotated[int, Field(ge=1, le=MOST_APPROVERS)] = 1
    confirm: Annotated[tuple[Words, ...], LISTED, UNIQUE] = ()
    notify: Annotated[tuple[ChannelPlace, ...], LISTED, UNIQUE] = ()
    hold: Hold | None = None
    proof: Literal["any", "signed_in"] = "any"
    unattended: Literal["queue", "deny"] = "queue"
    always: bool = False

    @model_validator(mode="after")
    def _can_be_decided(self) -> Approval:
        if self.unattended == "deny" and self.hold is None:
            raise ValueError("unattended: deny needs hold: say for how long the request may wait for somebody")
        return self

    @property
    def hold_seconds(self) -> int:
        """How many seconds the request is kept open, 0 where it is answered at once."""
        return 0 if self.hold is None else seconds_of(self.hold)


class SetHeader(Part):
    """A header of the request as the tool receives it; what the agent sent under that name is replaced."""

    name: HeaderName
    value: HeaderValue


class InjectCredential(Part):
    """A header of the request with a secret that the agent never sees: `prefix` and the tenant's credential."""

    credential: Name
    header: HeaderName = "authorization"
    prefix: HeaderPrefix = ""


class Obligations(Part):
    """What must be done for an allow to hold."""

    set_headers: Annotated[tuple[SetHeader, ...], LISTED, NOT_EMPTY] = ()
    inject_credentials: Annotated[tuple[InjectCredential, ...], LISTED, NOT_EMPTY] = ()

    @model_validator(mode="after")
    def _demands_each_header_once(self) -> Obligations:
        names = [header.name for header in self.set_headers] + [
            credential.header for credential in self.inject_credentials
        ]
        if not names:
            raise ValueError("demands nothing")
        if len(set(names)) != len(names):
            raise ValueError("sets one header twice")
        return self


class Rule(Part):
    """What allowing and denying rules share. `origin` is the name of the template it came from, "" for its own."""

    name: Name
    actions: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE]
    conditions: Conditions = Field(default_factory=lambda: Conditions.model_construct())
    description: str = ""
    _origin: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _any_stands_alone(self) -> Rule:
        if ANY in self.actions and len(self.actions) > 1:
            raise ValueError('"*" already means every action; leave the others out')
        return self

    @property
    def origin(self) -> str:
        return self._origin

    def inherited(self, origin: str) -> Self:
        """The same rule, as taken over from the template of that name."""
        copied = self.model_copy()
        copied._origin = origin
        return copied


class ToolRule(Rule, Limited):
    """One entry of `allowed_tools`: allows when every condition holds, and within its limits."""

    sanitize: Sanitize | None = None
    approval: Approval | None = None
    obligations: Obligations | None = None


class DenyRule(Rule):
    """One entry of `denied_tools`: denies unless a condition provably does not hold."""


MOST_WAIVER_DAYS = 30
"""The most days that a waiver may stand for approvals."""


class Waiver(Rule):
    """One entry of `waivers`: stands for the approval that rules of the documents `of` ask for, and for nothing else.

    It does so for calls that meet its conditions, from one day to another (UTC, `until` included), and for rules that
    are content with one person of its `groups`; of a rule that names no groups, with anybody.
    """

    of: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE]
    groups: Annotated[tuple[Words, ...], LISTED, UNIQUE] = ()
    since: Day = Field(alias="from")
    until: Day

    @model_validator(mode="after")
    def _is_narrow(self) -> Waiver:
        if ANY in self.actions:
            raise ValueError('a waiver names its actions; "*" would waive what nobody has seen')
        days = (date.fromisoformat(self.until) - date.fromisoformat(self.since)).days + 1
        if not 0 < days <= MOST_WAIVER_DAYS:
            raise ValueError(f"a waiver is for 1 to {MOST_WAIVER_DAYS} days, and this is for {days}")
        return self
