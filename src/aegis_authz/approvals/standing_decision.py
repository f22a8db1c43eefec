"""Standing decisions: a document of policy that allows or refuses calls like a held one, for some days.

What is offered adds nothing to what a person was asked about: the same agent, tool and action, the same parameters
with the same values, and only for what a rule bounds itself the values up to this one. It may be for the session, or
the task, of that call alone. Whoever saves it may widen the values and leave the session out, never the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum

import yaml

from aegis_authz.core.approval import ApprovalProof, ApprovalRequest
from aegis_authz.core.json_value import Json
from aegis_authz.core.units import ApprovalId
from aegis_authz.policy.language.document import PolicyDocument
from aegis_authz.policy.language.rule import MOST_WAIVER_DAYS, Conditions, Rule, Waiver

FOLDER = "standing/"
"""Where these documents stand among those that are published: each in the file of its name."""
_ALLOWING, _DENYING = "standing-allow-", "standing-deny-"
_CERTAIN = frozenset(("request", "on_behalf_of", "acted_by", "redacted before the tool sees it"))
_CERTAIN_PREFIXES = ("header ", "limits that ")
"""What stands beside the parameters of a call by its tool, its token or policy, and not by the agent's choice."""


class StandingEffect(Enum):
    """What becomes of calls like the held one."""

    ALLOW = "allow"
    DENY = "deny"


class NotStanding(Exception):
    """No standing decision can be made of this; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one day to another, both included."""

    first: date
    last: date

    @classmethod
    def of(cls, first: date, days: int) -> Span:
        """So many days. Raises NotStanding for more, or fewer, than a standing decision may have."""
        if not 1 <= days <= MOST_WAIVER_DAYS:
            raise NotStanding(f"a standing decision is for 1 to {MOST_WAIVER_DAYS} days")
        return cls(first, first + timedelta(days=days - 1))


def name_of(request_id: ApprovalId, effect: StandingEffect) -> str:
    """The name of the document."""
    return f"{_ALLOWING if effect is StandingEffect.ALLOW else _DENYING}{request_id}"


def path_of(name: str) -> str:
    """The file of the document of that name."""
    return f"{FOLDER}{name}.yaml"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a standing decision does to calls like the held one, and when: on these days and, `for_session`, only for
    those of its session.
    """

    effect: StandingEffect
    span: Span
    for_session: bool


def draft(request: ApprovalRequest, terms: Terms, owner: str, quantities: Collection[str]) -> str:
    """The document that is offered, as it is written.

    `quantities` are parameters that the rules bound from above: of them, less is like this, too. Raises NotStanding,
    also for the session of a call that belongs to none.
    """
    effect, span = terms.effect, terms.span
    rule: dict[str, Json] = {"name": request.tool, "actions": [request.action]}
    document: dict[str, Json] = {
        "org": request.scope.org,
        "tenant": request.scope.tenant,
        "agent": request.scope.agent,
        "name": name_of(request.id, effect),
        "owner": owner,
    }
    days: dict[str, Json] = {"from": span.first.isoformat(), "until": span.last.isoformat()}
    conditions = _conditions(request, quantities if effect is StandingEffect.ALLOW else (), terms.for_session)
    if effect is StandingEffect.DENY:
        context = conditions.get("context", {})
        context = {**(context if isinstance(context, Mapping) else {}), "time": {"within": [days]}}
        return _written({**document, "denied_tools": [{**rule, "conditions": {**conditions, "context": context}}]})
    _require_one_click(request)
    groups: dict[str, Json] = {"groups": [*request.groups]} if request.groups else {}
    waiver = {**rule, "conditions": conditions, "of": [*request.policies], **groups, **days}
    return _written({**document, "waivers": [waiver]})


def _require_one_click(request: ApprovalRequest) -> None:
    if request.approvals > 1 or request.confirm or request.proof is not ApprovalProof.ANY:
        raise NotStanding(
            "its rule asks for several people, values that are typed, or who is signed in: that is asked each time"
        )
    unjudged = sorted(
        name for name in request.besides if name not in _CERTAIN and not name.startswith(_CERTAIN_PREFIXES)
    )
    if unjudged:
        raise NotStanding(f"the call holds what no rule can judge, and another one may hold otherwise: {unjudged[0]}")


def _conditions(request: ApprovalRequest, quantities: Collection[str], for_session: bool) -> dict[str, Json]:
    """What makes a call like this one: these parameters with these values and no others, for the same person."""
    parameters: dict[str, Json] = {}
    for name, value in sorted(request.parameters.items()):
        if name.startswith("/") or not name.isprintable() or name != name.strip() or not 0 < len(name) <= 256:
            raise NotStanding("a parameter has a name that no condition can have")
        parameters[name] = _like(value, name in quantities)
    shape: dict[str, Json] = {"type": "object", "propertyNames": {"enum": [*parameters]}}
    if not parameters:
        shape = {"type": "object", "maxProperties": 0}
    behalf, actors = request.besides.get("on_behalf_of"), request.besides.get("acted_by")
    context: dict[str, Json] = {
        "on_behalf_of": {"equals": behalf} if isinstance(behalf, str) else {"exists": False},
        "acted_by": {"schema": {"const": actors}} if isinstance(actors, list) else {"count": {"max": 0}},
    }
    if for_session:
        if not request.session:
            raise NotStanding("the call belongs to no session: its token names none, and it is in none of MCP")
        context["session"] = {"equals": request.session}
    return {**({"parameters": parameters} if parameters else {}), "context": context, "schema": shape}


def _like(value: Json, is_quantity: bool) -> Json:
    if is_quantity and isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return {"max": value}
    if isinstance(value, str | bool | int | float):
        return {"equals": value}
    if value is None:
        return {"schema": {"type": "null"}}
    if _holds_null(value):
        raise NotStanding("a parameter holds null within it, which no document can write")
    return {"schema": {"const": value}}


def _holds_null(value: Json) -> bool:
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return any(part is None or _holds_null(part) for part in inside)


def _written(document: Mapping[str, Json]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=False, width=100)


def require_like(document: PolicyDocument, request: ApprovalRequest, effect: StandingEffect) -> None:
    """Refuse a document that is about more than calls of this agent, tool and action, or stands for longer.

    A waiver stands for what was asked here: for rules of the documents that asked, and for their groups. Raises
    NotStanding.
    """
    if document.scope != str(request.scope) or document.title != name_of(request.id, effect):
        raise NotStanding("the document is about another agent, or has another name, than what was offered")
    if effect is StandingEffect.ALLOW:
        _require_waiver(document, request)
    else:
        _require_denial(document, request)


def _require_waiver(document: PolicyDocument, request: ApprovalRequest) -> None:
    _require_one_click(request)
    if len(document.waivers) != 1:
        raise NotStanding("the document must have one entry of waivers")
    waiver = document.waivers[0]
    _require_action(waiver, request)
    if not set(waiver.of) <= set(request.policies):
        raise NotStanding("the waiver names documents that did not ask for this approval")
    if not set(waiver.groups) <= set(request.groups) or bool(waiver.groups) != bool(request.groups):
        raise NotStanding("the waiver names other groups than those that may decide this")


def _require_denial(document: PolicyDocument, request: ApprovalRequest) -> None:
    said = document.model_fields_set - {"org", "tenant", "agent", "name", "owner", "description", "ticket"}
    if said != {"denied_tools"} or len(document.denied_tools) != 1:
        raise NotStanding("the document must have one entry of denied_tools and no other rule")
    denial = document.denied_tools[0]
    _require_action(denial, request)
    window = _only_window(denial.conditions)
    if window is None:
        raise NotStanding("the rule must say until when: context: {time: {within: [{from: ..., until: ...}]}}")
    Span.of(window[0], (window[1] - window[0]).days + 1)


def _only_window(conditions: Conditions) -> tuple[date, date] | None:
    time = conditions.context.time
    if time is None or time.within is None or len(time.within) != 1:
        return None
    window = time.within[0]
    if window.since is None or window.until is None:
        return None
    return date.fromisoformat(window.since), date.fromisoformat(window.until)


def _require_action(rule: Rule, request: ApprovalRequest) -> None:
    if (rule.name, rule.actions) != (request.tool, (request.action,)):
        raise NotStanding("the document is about another tool or action than the call")


@dataclass(frozen=True, slots=True)
class StandingDecision:
    """A standing decision that is published. `path` is where it stands among the documents."""

    path: str
    text: str
    document: PolicyDocument

    @property
    def effect(self) -> StandingEffect:
        """What it does."""
        return StandingEffect.ALLOW if self.document.waivers else StandingEffect.DENY

    @property
    def rule(self) -> Rule:
        """Its one entry."""
        rules: tuple[Waiver | Rule, ...] = (*self.document.waivers, *self.document.denied_tools)
        return rules[0]

    @property
    def session(self) -> str:
        """The session that it is for, "" where it is for any."""
        session = self.rule.conditions.context.session
        return session.equals if session is not None and isinstance(session.equals, str) else ""

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        rule = self.rule
        if isinstance(rule, Waiver):
            return date.fromisoformat(rule.since), date.fromisoformat(rule.until)
        window = _only_window(rule.conditions)
        if window is None:
            raise NotStanding("it says no days")
        return window
