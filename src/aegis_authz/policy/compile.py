"""Policies, tools and trust as the data of a bundle: what the Rego library looks up and the data plane reads."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.policy.canonical_json import canonical
from aegis_authz.policy.conditions import Check, ParameterConditions, anchored, parameter_conditions
from aegis_authz.policy.document import Approval, PolicyDocument, Sanitize, ToolRule
from aegis_authz.policy.library import rego_library
from aegis_authz.policy.plain import plain_rules
from aegis_authz.policy.snapshot import trust_from_data
from aegis_authz.policy.tool_data import tools_to_data
from aegis_authz.policy.words import ANY

REVISION_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Compiled:
    """One immutable generation: `data` is the whole of the bundle's data.json, `revision` names it and the library."""

    revision: str
    data: dict[str, Json]


def compile_policy(
    policies: Sequence[PolicyDocument],
    tools: Sequence[Tool],
    trust_data: Mapping[str, Json],
    status_base: str,
    rego: Mapping[str, str] | None = None,
) -> Compiled:
    """Compile checked documents.

    `trust_data` is what `trust_to_data` made; `status_base` the URL under which approvals are looked up,
    "" for none; `rego` the library the bundle will carry, by default the one of this package. The
    order of documents, tools, files and keys does not matter: same content, same revision. Raises
    ValueError for documents that did not pass `load` and for unreadable trust.
    """
    trust_from_data(trust_data)
    content: dict[str, Json] = {
        "policies": _by_scope(policies),
        "snapshot": {"catalogue": tools_to_data(tools), "trust": dict(trust_data), "status_base": status_base},
    }
    revision = revision_of(content, rego_library() if rego is None else rego)
    snapshot = {**_object(content["snapshot"]), "revision": revision}
    return Compiled(revision, {"aegis": {**content, "revision": revision, "snapshot": snapshot}})


def revision_of(content: Mapping[str, Json], rego: Mapping[str, str]) -> str:
    """The name of a generation: hex of the SHA-256 over its canonical content and library, shortened."""
    return hashlib.sha256(canonical({"data": dict(content), "rego": dict(rego)})).hexdigest()[:REVISION_LENGTH]


def content_of(compiled: Compiled) -> dict[str, Json]:
    """The content `revision_of` was taken of: the data without the revision itself."""
    aegis = _object(compiled.data["aegis"])
    snapshot = {key: value for key, value in _object(aegis["snapshot"]).items() if key != "revision"}
    return {"policies": aegis["policies"], "snapshot": snapshot}


def _object(value: Json) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value


def _by_scope(policies: Sequence[PolicyDocument]) -> dict[str, Json]:
    scopes: dict[str, dict[str, list[dict[str, Json]]]] = {}
    shapes: set[tuple[str, str, str]] = set()
    for policy in policies:
        modes = scopes.setdefault(policy.scope, {"enforce": [], "shadow": []})
        modes[policy.mode].append(_document(policy))
        shapes.add(_shape(policy))
    for modes in scopes.values():
        for documents in modes.values():
            documents.sort(key=canonical)
    named = {policy.scope for policy in policies if ANY not in _shape(policy)}
    return {
        "shapes": [list(shape) for shape in sorted(shapes)],
        "scopes": {
            scope: {**modes, "plain": plain_rules(scope, scopes)} if scope in named else dict(modes)
            for scope, modes in scopes.items()
        },
    }


def _shape(policy: PolicyDocument) -> tuple[str, str, str]:
    return (
        ANY if policy.org == ANY else "org",
        ANY if policy.tenant == ANY else "tenant",
        ANY if policy.agent == ANY else "agent",
    )


def _document(policy: PolicyDocument) -> dict[str, Json]:
    tools: dict[str, dict[str, list[Json]]] = {}
    for rule in policy.allowed_tools:
        compiled = _rule(rule)
        for action in rule.actions:
            tools.setdefault(rule.name, {}).setdefault(action, []).append(compiled)
    for actions in tools.values():
        for rules in actions.values():
            rules.sort(key=canonical)
    return {
        "name": policy.title,
        "disclose": policy.disclose_limits,
        "tools": dict(tools),
        "egress": {
            "hosts": {host: True for host in policy.egress.allow if not host.startswith("*.")},
            "suffixes": sorted(host[1:] for host in policy.egress.allow if host.startswith("*.")),
        },
    }


def _rule(rule: ToolRule) -> dict[str, Json]:
    found, faults = parameter_conditions(rule.conditions)
    if faults:
        raise ValueError(f"the conditions of {rule.name} did not pass the checks: {faults[0][1]}")
    approval = rule.approval or Approval()
    return {
        "effect": _effect(rule, approval),
        "parameters": [_parameter(one) for one in found],
        "thresholds": [{"parameter": one.name, **_check(check)} for one in found for check in one.thresholds],
        "redact": _redactions(rule.sanitize),
        "approval": {"groups": sorted(approval.groups), "expires_in": approval.expires_in},
    }


def _effect(rule: ToolRule, approval: Approval) -> str:
    if approval.always:
        return Effect.APPROVAL_NEEDED.value
    return Effect.ALLOW.value if rule.sanitize is None else Effect.SANITIZE.value


def _parameter(one: ParameterConditions) -> dict[str, Json]:
    return {
        "name": one.name,
        "optional": one.optional,
        "type": one.type,
        "checks": [_check(check) for check in one.checks],
    }


def _check(check: Check) -> dict[str, Json]:
    compiled: dict[str, Json] = {"condition": check.condition, "limit": check.limit}
    if check.condition == "matches":
        compiled["pattern"] = anchored(str(check.limit))
    return compiled


def _redactions(sanitize: Sanitize | None) -> list[Json]:
    if sanitize is None:
        return []
    targets = (("request", sanitize.request), ("response", sanitize.response))
    return [
        {"target": target, "detectors": sorted(redaction.detectors), "fields": sorted(redaction.fields)}
        for target, redaction in targets
        if redaction is not None
    ]
