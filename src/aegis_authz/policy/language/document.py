"""The documents of a policy folder: policies, the templates they extend, and the definitions they share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from aegis_authz.encoding.sealed_box import read_public_key, write_public_key
from aegis_authz.policy.language.document_limits import BreakerTerms, LimitEntry
from aegis_authz.policy.language.limits import Duration, seconds_of
from aegis_authz.policy.language.rule import Approval, DenyRule, DetectorDefinition, ToolRule, Waiver
from aegis_authz.policy.language.types import (
    ANY,
    LISTED,
    NOT_EMPTY,
    UNIQUE,
    AlertCause,
    AlertPlace,
    AnyScalar,
    HostPattern,
    Name,
    NameOrGlob,
    Words,
)
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.language.values import TimeWindow

MOST_WITHIN = 86_400
"""Seconds for which refusals are gathered before somebody learns of them."""


def _entry(value: object) -> object:
    return {"host": value} if isinstance(value, str) else value


class EgressHost(Part):
    """A host, or `*.` and the domain whose hosts are meant; with the ports, schemes and methods it is known for."""

    host: HostPattern
    ports: Annotated[tuple[Annotated[int, Field(ge=1, le=65535)], ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    schemes: Annotated[tuple[Literal["http", "https"], ...], LISTED, NOT_EMPTY, UNIQUE] | None = None
    methods: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None


class Egress(Part):
    """Which hosts outside the catalogue are known to the agent's owner. Everything else is refused as foreign.

    `opaque: deny` refuses connections that nobody opens, too (`tls: passthrough`), whatever a rule allows.
    """

    default: Literal["deny"] = "deny"
    opaque: Literal["allow", "deny"] = "allow"
    allow: Annotated[tuple[Annotated[EgressHost, BeforeValidator(_entry)], ...], LISTED, UNIQUE] = ()


class RuleSet(Part):
    """What a document and a template both hold."""

    description: str = ""
    allowed_tools: Annotated[tuple[ToolRule, ...], LISTED] = ()
    denied_tools: Annotated[tuple[DenyRule, ...], LISTED] = ()
    limits: Annotated[tuple[LimitEntry, ...], LISTED] = ()
    egress: Egress = Egress()
    regions: Annotated[tuple[Words, ...], LISTED, NOT_EMPTY, UNIQUE] | None = None


_BESIDE_WAIVERS = frozenset(
    ("org", "tenant", "agent", "mode", "name", "description", "owner", "ticket", "disclose_limits", "waivers")
)


class Telemetry(Part):
    """What spans may show of the calls of its agents; of all documents that cover an agent, the strictest holds."""

    parameters: Literal["none", "names", "hashed", "clear"] = "names"
    trace: Literal["link", "continue"] = "continue"


def _auditor(text: str) -> str:
    return write_public_key(read_public_key(text))


AuditorKey = Annotated[str, AfterValidator(_auditor)]
"""The public key of an auditor (X25519), in base64url."""


class RecordWords(Part):
    """What records hold of the calls of its agents; of all documents that cover an agent, the strictest holds."""

    parameters: Literal["hashed", "sealed", "declared", "clear"] = "declared"
    auditor: AuditorKey | None = None

    @model_validator(mode="after")
    def _seals_for_somebody(self) -> RecordWords:
        if (self.parameters == "sealed") != (self.auditor is not None):
            raise ValueError("parameters: sealed needs the public key of an auditor, and nothing else has one")
        return self


class Notify(Part):
    """Which refusals of its agents' calls are told, and where; of all documents that cover an agent, each has its own.

    Refusals of one agent, reason and destination that come `within` a time are one notice, with how many they were.
    """

    reasons: Annotated[tuple[AlertCause, ...], LISTED, NOT_EMPTY, UNIQUE]
    by: Annotated[tuple[AlertPlace, ...], LISTED, NOT_EMPTY, UNIQUE, Field(max_length=8)]
    within: Duration = "60s"

    @model_validator(mode="after")
    def _is_told_today(self) -> Notify:
        if seconds_of(self.within) > MOST_WITHIN:
            raise ValueError("within is a day at most: nobody is told before it is over")
        return self


class PolicyDocument(RuleSet):
    """One policy document. `org`, `tenant` and `agent` may be "*" for all, or a beginning and "*" for a group.

    A document with `waivers` holds nothing else and is about one agent, so that it can never deny or allow by itself.
    """

    org: NameOrGlob = ANY
    tenant: NameOrGlob = ANY
    agent: NameOrGlob
    mode: Literal["enforce", "shadow"] = "enforce"
    name: Words | None = None
    owner: Words | None = None
    ticket: Words | None = None
    disclose_limits: bool = False
    extends: Words | None = None
    breaker: BreakerTerms | None = None
    telemetry: Telemetry | None = None
    record: RecordWords | None = None
    notify: Notify | None = None
    waivers: Annotated[tuple[Waiver, ...], LISTED] = ()

    @model_validator(mode="after")
    def _waives_alone(self) -> PolicyDocument:
        if not self.waivers:
            return self
        others = sorted(self.model_fields_set - _BESIDE_WAIVERS)
        if others:
            raise ValueError(f"a document with waivers has no {others[0]}: waivers stand in a document of their own")
        if ANY in self.scope:
            raise ValueError("a document with waivers is about one agent: org, tenant and agent in full")
        if self.mode != "enforce":
            raise ValueError("a document with waivers has no shadow: what it waives would be held all the same")
        return self

    @property
    def scope(self) -> str:
        """`org/tenant/agent`."""
        return f"{self.org}/{self.tenant}/{self.agent}"

    @property
    def title(self) -> str:
        """The name decisions give as theirs."""
        return self.name or self.scope

    def extended(self, template: Template) -> PolicyDocument:
        """This document with the rules of `template` beside its own, and only the regions both allow."""
        name = template.template
        regions = self.regions if template.regions is None else template.regions
        if self.regions is not None and template.regions is not None:
            regions = tuple(region for region in self.regions if region in template.regions)
        opaque = (self.egress.opaque, template.egress.opaque)
        entries = dict.fromkeys((*self.egress.allow, *template.egress.allow))
        return self.model_copy(
            update={
                "allowed_tools": (*self.allowed_tools, *(rule.inherited(name) for rule in template.allowed_tools)),
                "denied_tools": (*self.denied_tools, *(rule.inherited(name) for rule in template.denied_tools)),
                "limits": (*self.limits, *(entry.inherited(name) for entry in template.limits)),
                "egress": Egress(allow=tuple(entries), opaque="deny" if "deny" in opaque else "allow"),
                "regions": regions,
            }
        )


class Template(RuleSet):
    """Rules that documents share by `extends: name`. It covers no agent itself and extends nothing."""

    template: Words


def _kind_of_detector(value: object) -> str:
    return "[own]" if isinstance(value, dict | DetectorDefinition) else "[set]"


SetOrDetector = Annotated[
    Annotated[Annotated[tuple[Name, ...], LISTED, NOT_EMPTY, UNIQUE], Tag("[set]")]
    | Annotated[DetectorDefinition, Tag("[own]")],
    Discriminator(_kind_of_detector),
]
"""A list of detectors by their names, or a detector of one's own."""


class Definitions(Part):
    """Values that documents use by name, with a name each."""

    lists: dict[Words, Annotated[tuple[AnyScalar, ...], LISTED, NOT_EMPTY, UNIQUE]] = Field(default_factory=dict)
    patterns: dict[Words, str] = Field(default_factory=dict)
    time_windows: dict[Words, TimeWindow] = Field(default_factory=dict)
    approvers: dict[Words, Approval] = Field(default_factory=dict)
    detectors: dict[Words, SetOrDetector] = Field(default_factory=dict)


class DefinitionsDocument(Part):
    """A document that only names things."""

    define: Definitions
    description: str = ""
