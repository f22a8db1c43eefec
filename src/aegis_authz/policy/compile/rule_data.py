"""Checked documents as the data that Rego looks up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from aegis_authz.core.approval_terms import present_terms
from aegis_authz.core.catalogue import CONNECT_ACTION
from aegis_authz.core.circumstances import CONTEXT
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.folding import is_usual
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.comparisons import Check
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.compile.json_schema import schema_of_member
from aegis_authz.policy.compile.json_shapes import list_of, object_of
from aegis_authz.policy.compile.limits import LimitedCalls, limited_calls
from aegis_authz.policy.compile.redactions import redactions
from aegis_authz.policy.compile.rules import CompiledDocument, CompiledRule
from aegis_authz.policy.compile.schema_types import types_of
from aegis_authz.policy.language.document import Egress
from aegis_authz.policy.language.operators import OPERATORS, Operand
from aegis_authz.policy.language.rule import Approval, Obligations, Rule, ToolRule, Waiver
from aegis_authz.policy.language.types import ANY


def document_data(policy: CompiledDocument, opaque: Sequence[str]) -> dict[str, Json]:
    """One document. `opaque` names the tools that are passed through unopened.

    Raises ValueError when it did not pass `load`.
    """
    document, rules = policy.document, policy.rules
    denied = _by_action((rule.rule, _denying(rule)) for rule in rules.denying)
    if document.egress.opaque == "deny":
        for name in opaque:
            actions = object_of(denied.get(name, {}))
            denied[name] = {**actions, CONNECT_ACTION: [*list_of(actions.get(CONNECT_ACTION, [])), _OPAQUE_DENIED]}
    limited = limited_calls(policy) if document.mode == "enforce" else []
    ids = {calls.rule: calls.ids for calls in limited if calls.rule}
    entries = _limits(calls for calls in limited if not calls.rule)
    return {
        "name": document.title,
        "disclose": document.disclose_limits,
        "tools": _by_action((rule.rule, _allowing(rule, ids.get(rule.id, []))) for rule in rules.allowing),
        "denied": denied,
        "regions": None if document.regions is None else sorted(document.regions),
        "egress": _egress(document.egress),
        **({"limits": entries} if entries else {}),
        **({"waivers": _by_action((rule.rule, _waiving(rule)) for rule in rules.waiving)} if rules.waiving else {}),
    }


def _limits(entries: Iterable[LimitedCalls]) -> dict[str, Json]:
    """The ids of the entries of `limits`, by tool and action, each `*` for all."""
    tools: dict[str, dict[str, set[str]]] = {}
    for calls in entries:
        for tool in calls.tools or (ANY,):
            for action in calls.actions or (ANY,):
                tools.setdefault(tool, {}).setdefault(action, set()).update(calls.ids)
    return {tool: {action: [*sorted(ids)] for action, ids in actions.items()} for tool, actions in tools.items()}


_OPAQUE_DENIED: Json = {"id": "egress.opaque", "label": "egress.opaque: deny", "values": []}


def reads(policies: Iterable[CompiledDocument]) -> set[str]:
    """Which words of `core.circumstances.CONTEXT` any condition of these documents asks about."""
    words = {
        value.name
        for policy in policies
        for rule in (*policy.rules, *policy.rules.waiving)
        for value in rule.values
        if value.of == "context"
    }
    return words & CONTEXT


def parameter_roots(policies: Iterable[CompiledDocument]) -> set[str] | None:
    """The first names on the way to each value among the parameters that a condition looks at, in lower case.

    None where one looks at all of them, or has a name that readers, Rego's too, spell in more ways than by case.
    """
    roots: set[str] = set()
    for policy in policies:
        for rule in (*policy.rules, *policy.rules.waiving):
            for path in _paths(rule.values):
                if not path or not is_usual(path[0]):
                    return None
                roots.add(path[0].lower())
    return roots


def _paths(values: Iterable[ValueConditions]) -> Iterator[Sequence[str]]:
    for value in values:
        if value.of == "parameters":
            yield value.path
        for check in value.checks:
            if "than" in check.compiled:
                yield [name if isinstance(name, str) else "" for name in list_of(check.compiled["than"])]


def _by_action(rules: Iterable[tuple[Rule, Json]]) -> dict[str, Json]:
    tools: dict[str, dict[str, list[Json]]] = {}
    for rule, compiled in rules:
        for action in rule.actions:
            tools.setdefault(rule.name, {}).setdefault(action, []).append(compiled)
    for actions in tools.values():
        for listed in actions.values():
            listed.sort(key=canonical)
    return dict(tools)


def _allowing(compiled: CompiledRule, limits: Sequence[str]) -> dict[str, Json]:
    rule = compiled.rule
    if not isinstance(rule, ToolRule):
        raise TypeError("a rule that denies among those that allow")
    approval = rule.approval or Approval()
    return {
        "id": compiled.id,
        "effect": _effect(rule, approval),
        "values": _values(compiled),
        "redact": redactions(rule.sanitize),
        "headers": _headers(rule.obligations),
        "approval": _terms(approval),
        **({"limits": [*limits]} if limits else {}),
    }


def _terms(approval: Approval) -> Json:
    return present_terms(
        {
            "groups": sorted(approval.groups),
            "expires_in": approval.expires_in,
            "approvals": approval.approvals,
            "confirm": sorted(approval.confirm),
            "notify": sorted(approval.notify),
            "hold": approval.hold_seconds,
            "proof": approval.proof,
            "unattended": approval.unattended,
        }
    )


def _denying(compiled: CompiledRule) -> dict[str, Json]:
    return {"id": compiled.id, "label": compiled.rule.description or compiled.id, "values": _values(compiled)}


def _waiving(compiled: CompiledRule) -> dict[str, Json]:
    waiver = compiled.rule
    if not isinstance(waiver, Waiver):
        raise TypeError("not a waiver among the waivers")
    return {
        "id": compiled.id,
        "of": sorted(waiver.of),
        "groups": sorted(waiver.groups),
        "values": _values(compiled),
    }


def _values(compiled: CompiledRule) -> list[Json]:
    if compiled.faults:
        raise ValueError(f"the conditions of {compiled.rule.name} did not pass the checks: {compiled.faults[0][1]}")
    return [_value(value, compiled.denies) for value in compiled.values]


def _effect(rule: ToolRule, approval: Approval) -> str:
    if approval.always:
        return Effect.APPROVAL_NEEDED.value
    return Effect.ALLOW.value if rule.sanitize is None else Effect.SANITIZE.value


def _value(value: ValueConditions, denies: bool) -> Json:
    compiled: dict[str, Json] = {
        "of": value.of,
        "label": value.label,
        "path": list(value.path),
        "optional": value.optional,
        "type": value.type,
        "checks": [_check(check, denies) for check in value.checks if check.otherwise == "deny"],
        "asks": [_check(check, denies) for check in value.checks if check.otherwise == "approval_needed"],
    }
    marks: dict[str, Json] = {"forbidden": value.forbidden, "nullable": value.nullable}
    return compiled | {mark: True for mark, holds in marks.items() if holds}


def _check(check: Check, denies: bool) -> Mapping[str, Json]:
    compiled: Mapping[str, Json] = {"condition": check.condition, "limit": check.limit, **check.compiled}
    if not denies or OPERATORS[check.condition].operand is not Operand.SCHEMA:
        return compiled
    return {**compiled, "types": schema_of_member(types_of(check.limit))}


def _headers(obligations: Obligations | None) -> list[Json]:
    if obligations is None:
        return []
    plain: list[Json] = [{"name": header.name, "value": header.value} for header in obligations.set_headers]
    secret: list[Json] = [
        {"name": injection.header, "credential": injection.credential, "prefix": injection.prefix}
        for injection in obligations.inject_credentials
    ]
    return sorted(plain + secret, key=canonical)


def _egress(egress: Egress) -> dict[str, Json]:
    hosts: dict[str, list[Json]] = {}
    suffixes: list[Json] = []
    for entry in egress.allow:
        terms: dict[str, Json] = {
            "ports": _sorted(entry.ports),
            "schemes": _sorted(entry.schemes),
            "methods": _sorted(entry.methods),
        }
        if entry.host.startswith("*."):
            suffixes.append({"suffix": entry.host[1:], **terms})
        else:
            hosts.setdefault(entry.host, []).append(terms)
    return {
        "hosts": {host: sorted(entries, key=canonical) for host, entries in hosts.items()},
        "suffixes": sorted(suffixes, key=canonical),
    }


def _sorted(values: tuple[str, ...] | tuple[int, ...] | None) -> Json:
    return None if values is None else sorted(values, key=str)
