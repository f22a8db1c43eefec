"""What an agent may do, worked out from compiled documents: for each action of each tool which rules speak, and what is
the mildest that a call can get.

Nothing here decides a call. OPA does, by rego/action.rego, and a test holds every row against what OPA gives.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_authz.core.catalogue import CONNECT_ACTION, Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import Limit
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import covering, scope_shape
from aegis_authz.core.units import LimitId
from aegis_authz.policy.compile.limits import limited_calls
from aegis_authz.policy.compile.rules import CompiledRule
from aegis_authz.policy.language.rule import Rule, ToolRule, Waiver
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.policy.rule_words import condition_words, demand_words

Cover = Literal["enforced", "observed", "absent"]
"""Whether documents judge an agent, only watch it, or none is about it."""

_INVISIBLE = frozenset(("Cc", "Cf", "Co", "Cs"))
"""What RE2 means by `\\pC`, which rego/action.rego leaves out of the spelling of a name."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One rule that speaks of an action: whose it is, where it was written, and what it gives where its `conditions`
    hold. A denial is given unless one of them is known not to hold.
    """

    document: str
    rule: str
    path: str
    line: int
    description: str
    effect: Effect
    conditions: tuple[str, ...]
    demands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Right:
    """An action of a tool, `*` for all that no other row names in any spelling.

    `effect` is the mildest that a call can get, where every condition holds and nothing in `waiving` stands for an
    approval; `asks` says that other calls get an approval; `why` says of a denial what makes it one, "" for all else.
    """

    tool: str
    action: str
    effect: Effect
    asks: bool
    why: str
    allowing: tuple[Ground, ...]
    denying: tuple[Ground, ...]
    waiving: tuple[Ground, ...]
    limits: tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class CoveringDocument:
    """A document that is about an agent."""

    name: str
    mode: str
    scope: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Rights:
    """All that one agent may do: whatever has no row is refused. Tools of `refused` have none."""

    agent: Scope
    cover: Cover
    documents: tuple[CoveringDocument, ...]
    rows: tuple[Right, ...]
    refused: tuple[str, ...]


def rights_of(policies: Sequence[LoadedPolicy], tools: Sequence[Tool], agent: Scope) -> Rights:
    """The rights of an agent by these documents and tools; `agent` is one by name."""
    about = sorted(_covering(policies, agent), key=lambda policy: policy.document.title)
    enforcing = [policy for policy in about if policy.document.mode == "enforce"]
    cover: Cover = "enforced" if enforcing else "observed" if about else "absent"
    judging = enforcing or about
    rows = [row for tool in sorted(tools, key=lambda tool: tool.name) for row in _rows(tool, judging, cover)]
    spoken_of = {row.tool for row in rows}
    return Rights(
        agent,
        cover,
        tuple(map(_document, about)),
        tuple(rows),
        tuple(sorted(tool.name for tool in tools if tool.name not in spoken_of)),
    )


def _covering(policies: Sequence[LoadedPolicy], agent: Scope) -> Iterator[LoadedPolicy]:
    shapes = {scope_shape(policy.document.scope) for policy in policies}
    scopes = set(covering(str(agent), shapes))
    return (policy for policy in policies if policy.document.scope in scopes)


def _document(policy: LoadedPolicy) -> CoveringDocument:
    document, place = policy.document, policy.source.problem((), "")
    return CoveringDocument(document.title, document.mode, document.scope, place.path, place.line)


def _rows(tool: Tool, policies: Sequence[LoadedPolicy], cover: Cover) -> Iterator[Right]:
    rules = [rule for policy in policies for rule in _all_rules(policy) if rule.rule.name == tool.name]
    if cover == "absent" or not (rules or cover == "observed"):
        return
    spoken_of = {action for rule in rules for action in rule.rule.actions}
    for action in _actions(tool, spoken_of.union(*(_limited_actions(tool, policy) for policy in policies))):
        yield _right(tool, action, policies, cover)


def _limited_actions(tool: Tool, policy: LoadedPolicy) -> set[str]:
    entries = (entry for entry in policy.document.limits if not entry.tools or tool.name in entry.tools)
    return {action for entry in entries for action in entry.actions or ()}


def _all_rules(policy: LoadedPolicy) -> Iterator[CompiledRule]:
    yield from policy.compiled.rules
    yield from policy.compiled.rules.waiving


def _actions(tool: Tool, spoken_of: set[str]) -> list[str]:
    """What can be called of a tool, in order; `*` stands for the tools of a server that lists none."""
    if tool.is_opaque:
        return [CONNECT_ACTION]
    if not tool.is_mcp:
        return sorted(action.name for action in tool.actions)
    named = sorted({*(tool.mcp_tools or ()), *spoken_of} - {ANY})
    return named if tool.mcp_tools is not None else [*named, ANY]


def _right(tool: Tool, action: str, policies: Sequence[LoadedPolicy], cover: Cover) -> Right:
    allowing, denying, waiving = [], [], []
    for policy in policies:
        rules = policy.compiled.rules
        allowing += [(policy, rule) for rule in rules.allowing if _lists(rule, tool, action)]
        denying += [(policy, rule) for rule in rules.denying if _means(rule, tool, action)]
        waiving += [(policy, rule) for rule in rules.waiving if _waives(rule, tool, action)]
    why = "" if cover == "observed" else _obstacle(tool, action, policies, allowing, denying)
    effects = [_given_effect(rule.rule) for _, rule in allowing]
    passed = max(effects, default=Effect.DENY) if cover == "enforced" else Effect.ALLOW
    return Right(
        tool=tool.name,
        action=action,
        effect=Effect.DENY if why else passed,
        asks=cover == "enforced" and not why and any(rule.asks for _, rule in allowing),
        why=why,
        allowing=tuple(_ground(*entry) for entry in allowing),
        denying=tuple(_ground(*entry) for entry in denying),
        waiving=tuple(_ground(*entry) for entry in waiving),
        limits=_limits(tool, action, policies) if cover == "enforced" and not why else (),
    )


def _lists(rule: CompiledRule, tool: Tool, action: str) -> bool:
    return rule.rule.name == tool.name and not {action, ANY}.isdisjoint(rule.rule.actions)


def _means(rule: CompiledRule, tool: Tool, action: str) -> bool:
    """Whether a denial or a limit of the rule is about it: they are of every spelling of a name at an MCP server."""
    return rule.rule.name == tool.name and (
        _lists(rule, tool, action) or (tool.is_mcp and _spelling(action) in map(_spelling, rule.rule.actions))
    )


def _waives(rule: CompiledRule, tool: Tool, action: str) -> bool:
    return rule.rule.name == tool.name and action in rule.rule.actions


_Entries = Sequence[tuple[LoadedPolicy, CompiledRule]]


def _obstacle(tool: Tool, action: str, policies: Sequence[LoadedPolicy], allowing: _Entries, denying: _Entries) -> str:
    """Why no call of this action passes whatever it holds, "" where one may."""
    outright = sorted({policy.document.title for policy, rule in denying if not rule.values})
    closed = [policy.document.title for policy in policies if tool.is_opaque and _denies_opaque(policy)]
    disguising = [policy.document.title for policy in policies if _disguises(policy, tool, action)]
    abroad = [policy.document.title for policy in policies if _is_abroad(policy, tool)]
    if outright:
        return f"denied whatever the call holds, by {', '.join(outright)}"
    if closed:
        return f"passed through unopened, which {', '.join(closed)} denies"
    if disguising:
        return f"only another spelling of its name is listed, by {', '.join(disguising)}"
    if abroad:
        return f"outside the regions of {', '.join(abroad)}"
    if not allowing:
        return "no rule lists it"
    if _is_contradictory([rule.rule for _, rule in allowing]):
        return "two rules set one header to different values"
    if not _is_approvable([rule.rule for _, rule in allowing]):
        return "no group of approvers satisfies every rule that asks for an approval"
    return ""


def _denies_opaque(policy: LoadedPolicy) -> bool:
    return policy.document.egress.opaque == "deny"


def _disguises(policy: LoadedPolicy, tool: Tool, action: str) -> bool:
    if not tool.is_mcp or action == ANY:
        return False
    rules = (rule.rule for rule in policy.compiled.rules.allowing if rule.rule.name == tool.name)
    names = {name for rule in rules for name in rule.actions} - {ANY}
    return action not in names and _spelling(action) in map(_spelling, names)


def _is_abroad(policy: LoadedPolicy, tool: Tool) -> bool:
    regions = policy.document.regions
    return regions is not None and (not tool.region or tool.region not in regions)


def _is_contradictory(rules: Iterable[Rule]) -> bool:
    headers: set[tuple[str, str, str, str]] = set()
    for rule in rules:
        obligations = rule.obligations if isinstance(rule, ToolRule) else None
        if obligations is not None:
            headers |= {(header.name, header.value, "", "") for header in obligations.set_headers}
            headers |= {(entry.header, "", entry.credential, entry.prefix) for entry in obligations.inject_credentials}
    return len({name for name, *_ in headers}) < len(headers)


def _is_approvable(rules: Iterable[Rule]) -> bool:
    asking = [rule.approval for rule in rules if isinstance(rule, ToolRule) and rule.approval is not None]
    demanded = [set(approval.groups) for approval in asking if approval.always and approval.groups]
    return not demanded or bool(set.intersection(*demanded))


def _given_effect(rule: Rule) -> Effect:
    if not isinstance(rule, ToolRule):
        return Effect.DENY
    if rule.approval is not None and rule.approval.always:
        return Effect.APPROVAL_NEEDED
    return Effect.ALLOW if rule.sanitize is None else Effect.SANITIZE


def _ground(policy: LoadedPolicy, compiled: CompiledRule) -> Ground:
    place = policy.source_of(compiled).problem(compiled.at, "")
    rule = compiled.rule
    return Ground(
        document=policy.document.title,
        rule=compiled.id,
        path=place.path,
        line=place.line,
        description=rule.description,
        effect=Effect.ALLOW if isinstance(rule, Waiver) else _given_effect(rule),
        conditions=tuple(condition_words(compiled)),
        demands=tuple(demand_words(rule)),
    )


def _limits(tool: Tool, action: str, policies: Sequence[LoadedPolicy]) -> tuple[Limit, ...]:
    limits: dict[LimitId, Limit] = {}
    for policy in policies:
        listed = {rule.id for rule in policy.compiled.rules.allowing if _means(rule, tool, action)}
        for calls in limited_calls(policy.compiled):
            is_met = calls.rule in listed if calls.rule else _is_limited(calls.tools, calls.actions, tool, action)
            limits |= {entry.limit.id: entry.limit for entry in calls.limits if is_met}
    return tuple(sorted(limits.values(), key=lambda limit: (limit.policy, limit.name, limit.id)))


def _is_limited(tools: Sequence[str], actions: Sequence[str], tool: Tool, action: str) -> bool:
    if tools and not {tool.name, ANY} & set(tools):
        return False
    names = actions or (ANY,)
    is_spelt = tool.is_mcp and _spelling(action) in map(_spelling, names)
    return bool({action, ANY} & set(names)) or is_spelt


def _spelling(name: str) -> str:
    """A name as servers that fold case may take it, letter by letter, as rego/action.rego does."""
    visible = "".join(letter for letter in name if unicodedata.category(letter) not in _INVISIBLE).strip()
    upper = "".join(letter.upper() if len(letter.upper()) == 1 else letter for letter in visible)
    return "".join(letter.lower()[0] for letter in upper)
