"""Checked documents as the data that Rego looks up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from aegis_authz.core.decision import CONTEXT
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.comparisons import Check
from aegis_authz.policy.compile.conditions import ValueConditions, value_conditions
from aegis_authz.policy.language.document import Egress, PolicyDocument
from aegis_authz.policy.language.rule import Approval, DenyRule, Obligations, Rule, Sanitize, ToolRule


def document_data(policy: PolicyDocument) -> dict[str, Json]:
    """One document. Raises ValueError when it did not pass `load`."""
    return {
        "name": policy.title,
        "disclose": policy.disclose_limits,
        "tools": _by_action((rule, _allowing(rule, at)) for at, rule in allowing_rules(policy)),
        "denied": _by_action((rule, _denying(rule, at)) for at, rule in denying_rules(policy)),
        "regions": None if policy.regions is None else sorted(policy.regions),
        "egress": _egress(policy.egress),
    }


def reads(policies: Iterable[PolicyDocument]) -> set[str]:
    """Which words of `core.decision.CONTEXT` any condition of these documents asks about."""
    rules = (rule for policy in policies for rule in (*policy.allowed_tools, *policy.denied_tools))
    return {word for rule in rules for word in CONTEXT if getattr(rule.conditions.context, word) is not None}


def allowing_rules(policy: PolicyDocument) -> list[tuple[str, ToolRule]]:
    """Each rule of `allowed_tools` and how explanations name it: its place in its document or template."""
    return list(zip(_ids(policy.allowed_tools, "allowed_tools"), policy.allowed_tools, strict=True))


def denying_rules(policy: PolicyDocument) -> list[tuple[str, DenyRule]]:
    """Each rule of `denied_tools` and how explanations name it."""
    return list(zip(_ids(policy.denied_tools, "denied_tools"), policy.denied_tools, strict=True))


def rule_ids(policy: PolicyDocument, listed: str) -> list[tuple[str, Rule]]:
    """The same for one of both lists, by its name."""
    return [*allowing_rules(policy)] if listed == "allowed_tools" else [*denying_rules(policy)]


def _ids(rules: Sequence[Rule], listed: str) -> list[str]:
    counted: dict[str, int] = {}
    named = []
    for rule in rules:
        position = counted.setdefault(rule.origin, 0)
        counted[rule.origin] += 1
        named.append(f"{rule.origin + ':' if rule.origin else ''}{listed}[{position}]")
    return named


def _by_action(rules: Iterable[tuple[Rule, Json]]) -> dict[str, Json]:
    tools: dict[str, dict[str, list[Json]]] = {}
    for rule, compiled in rules:
        for action in rule.actions:
            tools.setdefault(rule.name, {}).setdefault(action, []).append(compiled)
    for actions in tools.values():
        for listed in actions.values():
            listed.sort(key=canonical)
    return dict(tools)


def _allowing(rule: ToolRule, at: str) -> dict[str, Json]:
    approval = rule.approval or Approval()
    return {
        "id": at,
        "effect": _effect(rule, approval),
        "values": _values(rule, denying=False),
        "redact": _redactions(rule.sanitize),
        "headers": _headers(rule.obligations),
        "approval": {"groups": sorted(approval.groups), "expires_in": approval.expires_in},
    }


def _denying(rule: DenyRule, at: str) -> dict[str, Json]:
    return {"id": at, "label": rule.description or at, "values": _values(rule, denying=True)}


def _values(rule: Rule, *, denying: bool) -> list[Json]:
    found, faults = value_conditions(rule.conditions, denying)
    if faults:
        raise ValueError(f"the conditions of {rule.name} did not pass the checks: {faults[0][1]}")
    return [_value(one) for one in found]


def _effect(rule: ToolRule, approval: Approval) -> str:
    if approval.always:
        return Effect.APPROVAL_NEEDED.value
    return Effect.ALLOW.value if rule.sanitize is None else Effect.SANITIZE.value


def _value(one: ValueConditions) -> Json:
    compiled: dict[str, Json] = {
        "of": one.of,
        "label": one.label,
        "path": list(one.path),
        "optional": one.optional,
        "type": one.type,
        "checks": [_check(check) for check in one.checks if check.otherwise == "deny"],
        "asks": [_check(check) for check in one.checks if check.otherwise == "approval_needed"],
    }
    return {**compiled, "forbidden": True} if one.forbidden else compiled


def _check(check: Check) -> Mapping[str, Json]:
    return {"condition": check.condition, "limit": check.limit, **check.compiled}


def _redactions(sanitize: Sanitize | None) -> list[Json]:
    if sanitize is None:
        return []
    targets = (("request", sanitize.request), ("response", sanitize.response))
    return [
        {"target": target, "detectors": sorted(redaction.detectors), "fields": sorted(redaction.fields)}
        for target, redaction in targets
        if redaction is not None
    ]


def _headers(obligations: Obligations | None) -> list[Json]:
    if obligations is None:
        return []
    plain: list[Json] = [{"name": one.name, "value": one.value} for one in obligations.set_headers]
    secret: list[Json] = [
        {"name": one.header, "credential": one.credential, "prefix": one.prefix}
        for one in obligations.inject_credentials
    ]
    return sorted(plain + secret, key=canonical)


def _egress(egress: Egress) -> dict[str, Json]:
    hosts: dict[str, list[Json]] = {}
    suffixes: list[Json] = []
    for entry in egress.allow:
        known: dict[str, Json] = {
            "ports": _sorted(entry.ports),
            "schemes": _sorted(entry.schemes),
            "methods": _sorted(entry.methods),
        }
        if entry.host.startswith("*."):
            suffixes.append({"suffix": entry.host[1:], **known})
        else:
            hosts.setdefault(entry.host, []).append(known)
    return {
        "hosts": {host: sorted(entries, key=canonical) for host, entries in hosts.items()},
        "suffixes": sorted(suffixes, key=canonical),
    }


def _sorted(values: tuple[str, ...] | tuple[int, ...] | None) -> Json:
    return None if values is None else sorted(values, key=str)
