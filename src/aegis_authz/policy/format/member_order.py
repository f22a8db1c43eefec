"""In which order the members of documents are written: that of the policy reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pydantic import BaseModel

from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.language.costs import PricesDocument
from aegis_authz.policy.language.document import (
    DefinitionsDocument,
    Notify,
    PolicyDocument,
    RecordWords,
    Telemetry,
    Template,
)
from aegis_authz.policy.language.document_limits import LimitEntry
from aegis_authz.policy.language.identities import AgentsDocument, TrustDocument
from aegis_authz.policy.language.limits import (
    LIMIT_WORDS,
    BudgetLimit,
    ConcurrencyLimit,
    CountLimit,
    DistinctLimit,
    RateLimit,
)
from aegis_authz.policy.language.operators import OPERATORS, Holder
from aegis_authz.policy.language.residency import ResidencyDocument
from aegis_authz.policy.language.rule import Approval, Conditions, DenyRule, ToolRule, Waiver
from aegis_authz.policy.language.shapes import Shape
from aegis_authz.policy.language.values import ElementRule, ParameterRule, TimeWindow

KINDS: Mapping[str, type[BaseModel]] = {
    "define": DefinitionsDocument,
    "template": Template,
    "agent": PolicyDocument,
    "tool": ToolEntry,
    "agents": AgentsDocument,
    "trust": TrustDocument,
    "residency": ResidencyDocument,
    "prices": PricesDocument,
}
"""The kinds of documents, by the member that only documents of that kind have."""

RULES = ("allowed_tools", "denied_tools")
"""Members that only policies and templates have."""

_Entry = TypeVar("_Entry")

_REST = "..."
_RULED = ("regions", *RULES, "limits", "egress")
_RULE = ("name", "actions", "description", "conditions")
_LIMITED = (*LIMIT_WORDS, "per", "on_exceed")
_WINDOW = ("max", "amount", "currency", "per", "zone", "of", "on_exceed")
_OF_VALUES = tuple(word for word, operator in OPERATORS.items() if operator.holder is Holder.VALUE)
_OF_PARAMETERS = tuple(word for word, operator in OPERATORS.items() if operator.holder is Holder.PARAMETER)
_ORDERS: Mapping[type[BaseModel], tuple[str, ...]] = {
    PolicyDocument: (
        *("org", "tenant", "agent", "mode", "name", "description", "owner", "ticket", "disclose_limits", "extends"),
        *_RULED,
        "breaker",
        "telemetry",
        "record",
        "notify",
        "waivers",
    ),
    Telemetry: ("parameters", "trace"),
    Notify: ("reasons", "by", "within"),
    RecordWords: ("parameters", "auditor"),
    Template: ("template", "description", *_RULED),
    DefinitionsDocument: ("description", "define"),
    ToolRule: (*_RULE, *_LIMITED, "sanitize", "approval", "obligations"),
    LimitEntry: ("name", "tools", "actions", "description", *_LIMITED, "sanitize", "approval"),
    BudgetLimit: _WINDOW,
    CountLimit: _WINDOW,
    DistinctLimit: ("parameter", *_WINDOW),
    RateLimit: ("calls", "per", "burst", "on_exceed"),
    ConcurrencyLimit: ("max", "life", "on_exceed"),
    DenyRule: _RULE,
    Waiver: (*_RULE, "of", "groups", "from", "until"),
    Conditions: (_REST, "parameters", "context", "schema"),
    ElementRule: ("at", *_OF_VALUES),
    ParameterRule: (
        *_OF_VALUES,
        *_OF_PARAMETERS,
        *(_REST, "optional", "else"),
    ),
    Approval: (
        *("approvers", "groups", "approvals", "expires_in", "confirm", "notify"),
        *("hold", "unattended", "proof", "always"),
    ),
    TimeWindow: ("name", "zone", "weekdays", "hours", "from", "until", "holidays"),
    ToolEntry: (
        "tool",
        "description",
        "host",
        "upstream",
        "owner",
        "cost",
        "settle",
        "region",
        "tls",
        "descriptor_set",
        "actions",
        "mcp",
        "functions",
    ),
}
"""Where the order of the model is not that of the reference."""


def ordered(entries: Sequence[_Entry], key: Callable[[_Entry], str], shape: Shape | None) -> list[_Entry]:
    """The entries of a mapping of that shape in their order; members nobody knows last, names as they were written."""
    if shape is None or shape.model is None:
        return list(entries)
    order = _ORDERS.get(shape.model) or tuple(shape.members)
    ranks = {name: rank for rank, name in enumerate(order)}
    unknown = ranks.get(_REST, len(ranks))
    return sorted(entries, key=lambda entry: ranks.get(key(entry), unknown))


def kind_of(members: Sequence[str], kinds: Mapping[str, type[BaseModel]]) -> type[BaseModel] | None:
    """The model of a document with these members, None where it is no document of ours."""
    kind = next((model for member, model in kinds.items() if member in members), None)
    if kind is None and not set(RULES).isdisjoint(members):
        return PolicyDocument
    return kind
