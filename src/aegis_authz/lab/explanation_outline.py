"""An explanation as an outline of lines, each with its parts: a terminal and a page draw the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from aegis_authz.core.json_value import Json
from aegis_authz.lab.explanation import ConditionState, Explanation, LookedAtCondition, LookedAtDocument, LookedAtRule
from aegis_authz.lab.grants import LookedAtNarrowing, LookedAtValue
from aegis_authz.lab.met_limits import MetLimit
from aegis_authz.lab.trial import decided_data
from aegis_authz.policy.compile.conditions import path_of
from aegis_authz.policy.language.mcp_methods import is_method
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.problems import printable

Tone = Literal["plain", "strong", "faint", "effect"]
_LONGEST = 100
_FAILING = {"deny": "deny", "approval_needed": "approval_needed", "excuses": "the rule does not apply"}


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a line: printable text, and how much it weighs. An `effect` is drawn in the colour of its name.

    `file` and `line` are where what it names was written, "" and 0 for nowhere.
    """

    text: str
    tone: Tone
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Branch:
    """A line and the lines below it. `state` is what became of a condition, None of what is none."""

    state: ConditionState | None
    spans: tuple[Span, ...]
    branches: tuple[Branch, ...]


def value_text(value: Json) -> str:
    """A value as JSON, cut to what a line can hold."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def decision_lines(explanation: Explanation) -> Iterator[tuple[Span, ...]]:
    """What belongs to the decision beside its effect and reason: who decided, what must be done, who approves."""
    data = decided_data(explanation.decision)
    if data["policies"]:
        yield (_plain(f"decided by: {_listed(data['policies'])}"),)
    for obligation in _objects(data["obligations"]):
        members = (f"{name} {_listed(value)}" for name, value in obligation.items() if name != "kind" and value != [])
        yield (_plain(f"obligation: {obligation['kind']}: {', '.join(members)}"),)
    approval = data["approval"]
    if isinstance(approval, Mapping):
        groups, approvals = approval["groups"], approval["approvals"]
        how_many = "one" if approvals == 1 else str(approvals)
        approvers = f"{how_many} of {_listed(groups)}" if groups else f"{how_many} of all approvers"
        more = "".join(_manner(approval))
        yield (_plain(f"approval: by {approvers}, within {approval['expires_in']} seconds{more}"),)
    if data["would"] is not None:
        yield _plain("shadow documents would have decided: "), Span(str(data["would"]), "effect")


def outline(explanation: Explanation, standings: Mapping[str, str]) -> Branch:
    """The call, and below it each grant, document, rule, condition and limit that it met.

    `standings` say by the ids of limits how they stand, where that is known.
    """
    call = explanation.call
    target = f"{call.method} {call.host}" if call.host else f"{call.tool} {call.action}"
    grants = (
        _grant(narrowing, number, len(explanation.grant)) for number, narrowing in enumerate(explanation.grant, start=1)
    )
    documents = (_document(document, explanation, standings) for document in explanation.documents)
    return Branch(None, (_strong(f"{call.agent}: {target}"),), (*grants, *documents))


def narrowing_lines(narrowing: LookedAtNarrowing) -> Iterator[tuple[bool, str]]:
    """Each part of one grant: whether it lets the call through, and what it says."""
    yield not narrowing.is_over, "it has ended" if narrowing.is_over else "it has not ended"
    yield narrowing.tool, "lists the tool" if narrowing.tool else "does not list the tool"
    if narrowing.tool:
        yield narrowing.action, "lists the action" if narrowing.action else "does not list the action"
    for value in narrowing.values:
        yield value.holds, _grant_value(value)


def _grant_value(value: LookedAtValue) -> str:
    sight = f"seen {json.dumps(value.value, ensure_ascii=False)}" if value.there else "it is not there"
    return f"{value.parameter} one of {json.dumps([*value.allowed], ensure_ascii=False)}: {sight}"


def _grant(narrowing: LookedAtNarrowing, number: int, of: int) -> Branch:
    heading = f"grant {number} of {of}" if of > 1 else "grant"
    lines = (Branch("held" if holds else "failed", (_plain(line),), ()) for holds, line in narrowing_lines(narrowing))
    return Branch(None, (_strong(heading),), tuple(lines))


def _document(document: LookedAtDocument, explanation: Explanation, standings: Mapping[str, str]) -> Branch:
    call, branches = explanation.call, list[Branch]()
    if document.outside:
        branches.append(_outside(document))
    branches += (_rule(rule, explanation) for rule in document.rules)
    if not document.rules and not call.host and not is_method(call.action):
        branches.append(Branch(None, (_faint("no rule lists the action"),), ()))
    if document.mode == "enforce":
        own = (limit for limit in explanation.limits if limit.policy == document.name)
        branches += (_limit(limit, standings.get(limit.id)) for limit in own)
    title = (_strong(document.name), _plain(f" {document.mode}"), _place(document.path, document.line))
    return Branch(None, title, tuple(branches))


def _limit(limit: MetLimit, standing: str | None) -> Branch:
    """A limit that the call meets, and how it stands where that is known."""
    per = "each agent by itself" if limit.per == "agent" else "all agents of the tenant together"
    terms = (_plain("limit: "), _strong(limit.name), _plain(f", {per}, else "), Span(limit.on_exceed, "effect"))
    stands = () if standing is None else (_plain(f": {standing}"),)
    return Branch(None, (*terms, *stands, _place(limit.path, limit.line)), ())


def _outside(document: LookedAtDocument) -> Branch:
    regions = ", ".join(document.regions or ())
    return Branch(
        "failed", (_plain(f"the tool is in none of the regions {regions}"), _plain(" -> "), Span("deny", "effect")), ()
    )


def _rule(rule: LookedAtRule, explanation: Explanation) -> Branch:
    outcome = _faint("does not apply") if rule.outcome == "excused" else Span(rule.outcome, "effect")
    conditions = tuple(
        _condition(condition, rule, explanation)
        for condition in rule.conditions
        if (condition.parameter, condition.condition) != ("context.time", "type")  # every call has a time
    )
    if not rule.conditions:
        conditions = (Branch(None, (_faint("no conditions"),), ()),)
    return Branch(None, (_plain(f"{rule.id}: "), outcome, _place(rule.path, rule.line)), conditions)


def _condition(condition: LookedAtCondition, rule: LookedAtRule, explanation: Explanation) -> Branch:
    spans = [_strong(condition.parameter), _plain(f" {condition.condition}{_reference(condition, explanation)}")]
    if condition.condition == "present":
        spans.append(_plain(": it is not there"))
    elif condition.there:
        spans.append(_plain(f": seen {value_text(condition.value)}"))
    meaning = Span(_FAILING[condition.failing], "effect")
    if condition.state == "failed":
        spans += (_plain(" -> "), meaning)
        if rule.denies and condition.failing == "deny" and condition.condition not in ("present", "type"):
            spans.append(_plain(" (it could not be read, which excuses nothing)"))
    elif condition.state == "not reached":
        spans.append(_faint(" (not reached)"))
    elif condition.condition == "present":
        spans.append(_faint(", as it may be"))
    else:
        spans += (_faint(" (else "), meaning, _faint(")"))
    if condition.line is not None:
        spans.append(Span(f"  line {condition.line}", "faint", rule.path, condition.line))
    elif condition.condition not in ("present", "type"):
        spans.append(_faint("  implied by the upper bound"))
    return Branch(condition.state, tuple(spans), ())


def _reference(condition: LookedAtCondition, explanation: Explanation) -> str:
    """What the value is compared with; of another parameter, its value, too."""
    if condition.limit is None:
        return ""
    if (
        isinstance(condition.limit, Mapping)
        and condition.limit.keys() == {"parameter"}
        and condition.condition != "schema"
    ):
        name = str(condition.limit["parameter"])
        value = inside(explanation.call.parameters, path_of(name))  # type: ignore[arg-type]  # it was read as Json
        text = "nothing" if value is None else value_text(value)
        return f" the parameter {name}, {text}"
    return f" {value_text(condition.limit)}"


def _manner(approval: Mapping[str, Json]) -> Iterator[str]:
    """How the request waits and who may say so, where that is not as it mostly is."""
    if approval.get("proof") == "signed_in":
        yield ", signed in"
    if "hold" in approval:
        yield f"; the request is kept open {approval['hold']} seconds"
        yield ", then denied" if approval.get("unattended") == "deny" else ""


def _place(path: str, line: int) -> Span:
    return Span(printable(f"  {path}:{line}"), "faint", path, line)


def _plain(text: str) -> Span:
    return Span(printable(text), "plain")


def _strong(text: str) -> Span:
    return Span(printable(text), "strong")


def _faint(text: str) -> Span:
    return Span(printable(text), "faint")


def _objects(value: Json) -> list[Mapping[str, Json]]:
    return [element for element in value if isinstance(element, Mapping)] if isinstance(value, list) else []


def _listed(value: Json) -> str:
    if isinstance(value, list):
        return ", ".join(_listed(element) for element in value)
    return value if isinstance(value, str) else json.dumps(value)
