"""Lints of conditions on values that are read in more than one way: null, other JSON types, addresses inside others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Network, ip_network

from aegis_authz.core.catalogue import Parameter, Tool
from aegis_authz.policy.language.operators import OPERATORS, Operand, words_with
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.lint.finding import Finding, finding_of
from aegis_authz.policy.lint.ground import PARAMETERS, Ground, LintedRule
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location

_HOLDING_IPV4 = tuple(
    IPv6Network(prefix)
    for prefix in (
        "::ffff:0:0/96",
        "::/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
    )
)
"""What `holds_ipv4` of rego/comparisons.rego refuses."""
_LOOPBACK = IPv6Network("::1/128")
_TYPED = ("type", "const", "enum", "$ref", "allOf", "anyOf", "oneOf", "not")


def reading_findings(ground: Ground) -> Iterator[Finding]:
    """Findings of each rule."""
    for rule in ground.rules():
        yield from _ranges(rule)
        yield from _schemas(rule)
        tool = ground.loaded.known_tools.get(rule.rule.name)
        if tool is not None:
            yield from _nulls(rule, tool.tool)


def _ranges(rule: LintedRule) -> Iterator[Finding]:
    for at, comparisons in rule.comparisons():
        for word in words_with(Operand.RANGES):
            for position, text in enumerate(getattr(comparisons, OPERATORS[word].field) or ()):
                network = ip_network(text)
                if isinstance(network, IPv6Network) and _holds_ipv4(network):
                    message = f"{text} holds addresses that lead to IPv4 ones and are refused; name the IPv4 range"
                    yield finding_of("embedded-range", rule.problem((*at, word, position), message))


def _holds_ipv4(network: IPv6Network) -> bool:
    return network != _LOOPBACK and any(network.subnet_of(prefix) for prefix in _HOLDING_IPV4)


def _schemas(rule: LintedRule) -> Iterator[Finding]:
    if not rule.denying:
        return
    conditions = rule.rule.conditions
    if conditions.arguments is not None:
        yield from _untyped_members(rule, ("conditions", "schema"), conditions.arguments)
    for at, rules in rule.parameter_rules():
        for position, parameter_rule in enumerate(rules):
            if parameter_rule.json_schema is not None:
                yield from _untyped(rule, (*at, position, "schema"), parameter_rule.json_schema)


def _untyped(rule: LintedRule, at: Location, schema: Mapping[str, object]) -> Iterator[Finding]:
    if not any(word in schema for word in _TYPED):
        message = "says no type: values of types that its words are not about meet it, too; say which type is meant"
        yield finding_of("untyped-schema", rule.problem(at, message))
    yield from _untyped_members(rule, at, schema)


def _untyped_members(rule: LintedRule, at: Location, schema: Mapping[str, object]) -> Iterator[Finding]:
    members = schema.get("properties")
    for name, member in members.items() if isinstance(members, Mapping) else ():
        if isinstance(member, Mapping):
            yield from _untyped(rule, (*at, "properties", name), member)


def _nulls(rule: LintedRule, tool: Tool) -> Iterator[Finding]:
    """Conditions without `optional` on a parameter that the catalogue lists with it."""
    optional = {parameter.name for parameter in _parameters(rule, tool) if parameter.optional}
    for value in rule.values:
        if value.of == "parameters" and value.name in optional and not value.optional:
            place = next((check.at for check in value.checks if check.at is not None), None)
            at = (*PARAMETERS, value.name) if place is None else ("conditions", *place)
            message = (
                f"{quoted(value.name)} may be null, by the catalogue; such a call is denied, unless optional: true"
            )
            yield finding_of("null-denied", rule.problem(at, message))


def _parameters(rule: LintedRule, tool: Tool) -> Iterator[Parameter]:
    actions = rule.rule.actions
    for action in tool.actions:
        if ANY in actions or action.name in actions:
            yield from action.parameters
    for name, mcp_tool in (tool.mcp_tools or {}).items():
        if ANY in actions or name in actions:
            yield from mcp_tool.parameters
