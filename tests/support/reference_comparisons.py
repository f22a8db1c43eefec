"""The comparisons of the reference interpreter: True, False, or None where what one needs cannot be read."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import re2  # type: ignore[import-untyped]
from jsonschema import Draft202012Validator

from aegis_authz.policy.language.types import ParameterReference
from aegis_authz.policy.language.values import Comparisons, ElementRule, ParameterRule, Size

ABSENT = object()
BLOCKED = object()
Held = bool | None | str
"""What a comparison found; "missing" or "type" where the parameter it compares with is not there, or unlike."""


def found(parameters: Any, path: list[str], optional: bool, nullable: bool) -> Any:
    """What stands there; null is ABSENT where `optional` is written, which makes a parameter `nullable`."""
    value = _found(parameters, path, optional, nullable)
    return ABSENT if nullable and value is None else value


def _found(parameters: Any, path: list[str], optional: bool, nullable: bool) -> Any:
    value = parameters
    for part in path:
        value = value[part] if isinstance(value, dict) and part in value else ABSENT
    if value is not ABSENT or not optional:
        return value
    value = parameters
    for part in path:
        if value is None and nullable:
            return ABSENT
        if not isinstance(value, dict):
            return BLOCKED
        spelt = [inner for name, inner in value.items() if name.upper().lower() == part.upper().lower()]
        if not spelt:
            return ABSENT
        value = spelt[0]
    return value


def kind(rules: Sequence[Comparisons]) -> str:
    for rule in rules:
        if rule.type is not None and rule.type != "any":
            return rule.type
    for rule in rules:
        words = {name for name in type(rule).model_fields if getattr(rule, name) is not None}
        if words & {"min", "max", "over", "under", "approval_needed_over"}:
            return "number"
        texts = {"matches", "starts_with", "ends_with", "length", "host_in", "url_host_in", "email_domain_in"}
        if words & {*texts, "in_ranges", "not_in_ranges"}:
            return "string"
        if words & {"count", "every", "any_element"}:
            return "array"
        for name in ("equals", "differs", "allowed", "not_in", "approval_needed_in"):
            limit = getattr(rule, name, None)
            if limit is not None and not isinstance(limit, ParameterReference):
                sample = limit[0] if isinstance(limit, tuple) else limit
                return "boolean" if isinstance(sample, bool) else "string" if isinstance(sample, str) else "number"
    return "any"


def is_kind(kind: str, value: Any) -> bool:
    if value is BLOCKED:
        return False
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return {
        "any": True,
        "string": isinstance(value, str),
        "number": number,
        "integer": number and value == int(value),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }[kind]


def comparisons(rule: Comparisons, value: Any, parameters: Mapping[str, Any]) -> Iterator[Held]:
    for word in ("equals", "differs", "min", "max", "over", "under"):
        limit = getattr(rule, word)
        if limit is not None:
            yield compared(word, value, limit, parameters)
    if rule.allowed is not None:
        yield any(_same(value, one) for one in rule.allowed)
    if rule.not_in is not None:
        yield not any(_same(value, one) for one in rule.not_in)
    if rule.matches is not None:
        yield re2.fullmatch(rule.matches, value) is not None
    if rule.starts_with is not None:
        yield value.startswith(rule.starts_with)
    if rule.ends_with is not None:
        yield value.endswith(rule.ends_with)
    if rule.length is not None:
        yield _sized(rule.length, len(value))
    for patterns, host in (
        (rule.host_in, _host),
        (rule.url_host_in, _url_host),
        (rule.email_domain_in, _email_domain),
    ):
        if patterns is not None:
            named = host(value)
            yield None if named is None else host_matches(named, patterns)
    for ranges, inside in ((rule.in_ranges, True), (rule.not_in_ranges, False)):
        if ranges is not None:
            yield _in_ranges(value, ranges, inside)


def of_parameters_alone(rule: ParameterRule, value: Any) -> Iterator[bool | None]:
    if rule.exists is False:
        yield False
    if rule.count is not None:
        yield _sized(rule.count, len(value))
    if rule.json_schema is not None:
        yield conforms(rule.json_schema, value)
    for word, element, empty in (("every", rule.every, all), ("any", rule.any_element, any)):
        if element is not None:
            judged = [_element(element, one) for one in value]
            held = empty(one is True for one in judged)
            yield True if held else None if None in judged else False
            assert word


def _element(rule: ElementRule, element: Any) -> bool | None:
    if rule.at is not None:
        if not isinstance(element, dict):
            return None
        element = found(element, rule.at[1:].split("/"), False, False)
    if element is ABSENT or not is_kind(kind([rule]), element):
        return None
    judged = list(comparisons(rule, element, {}))
    return True if all(one is True for one in judged) else None if None in judged else False


def compared(word: str, value: Any, limit: Any, parameters: Mapping[str, Any]) -> Held:
    if isinstance(limit, ParameterReference):
        limit = parameters.get(limit.parameter, ABSENT)
        numeric = word not in ("equals", "differs")
        if limit is ABSENT:
            return "missing"
        if (numeric and not is_kind("number", limit)) or not _alike(value, limit):
            return "type"
    match word:
        case "equals":
            return _same(value, limit)
        case "differs":
            return not _same(value, limit)
        case "min":
            return bool(value >= limit)
        case "max":
            return bool(value <= limit)
        case "over":
            return bool(value > limit)
    return bool(value < limit)


def _alike(one: Any, other: Any) -> bool:
    kinds = ("string", "number", "boolean", "array", "object")
    return any(is_kind(kind, one) and is_kind(kind, other) for kind in kinds) or (one is None and other is None)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _sized(size: Size, length: int) -> bool:
    return (
        (size.equals is None or length == size.equals)
        and (size.min is None or length >= size.min)
        and (size.max is None or length <= size.max)
    )


def _host(text: str) -> str | None:
    labels = text.lower().split(".")
    fine = all(re.fullmatch(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?", label, re.ASCII) for label in labels)
    return text.lower() if fine and len(text) <= 253 else None


def _url_host(text: str) -> str | None:
    scheme, separator, rest = text.partition("://")
    if scheme.lower() not in ("http", "https", "ws", "wss") or not separator:
        return None
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    after = rest[len(authority) :]
    if not all("!" <= character <= "~" and character != "\\" for character in after):
        return None
    if after[:1] in ("?", "#") and "@" in after:
        return None  # to some readers, what stands before the @ is a user
    host, colon, port = authority.partition(":")
    if colon and not re.fullmatch(r"[0-9]{1,5}", port, re.ASCII):
        return None
    return _host(host)


def _email_domain(text: str) -> str | None:
    local, at, domain = text.partition("@")
    if not at or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_{|}~.-]+", local, re.ASCII):
        return None
    return _host(domain)


def host_matches(host: str, patterns: Iterable[str]) -> bool:
    return any(host.endswith(one[1:]) and host != one[1:] if one.startswith("*.") else host == one for one in patterns)


def _may_be_ipv4(address: ipaddress.IPv6Address, text: str) -> bool:
    """Whether an address is written, or may be read, as an IPv4 one; or in a zone."""
    if "%" in text or "." in text or address.sixtofour is not None or address.teredo is not None:
        return True
    first, last = int(address) >> 32, int(address) & 0xFFFFFFFF
    prefixes = (0, 0xFFFF, 0xFFFF << 16, 0x64FF9B << 64)
    translated = first in prefixes or int(address) >> 80 == 0x64FF9B0001 or first & 0xFFFF == 0x5EFE
    return translated and (first, last) != (0, 1)


def types_fit(schema: Any, value: Any) -> bool:
    """Whether a value has the types a JSON Schema is about, and no member in another spelling, as far as tests need."""
    if not isinstance(schema, dict):
        return True
    if not _type_fits(schema, value):
        return False
    names = {*schema.get("properties", {}), *schema.get("required", [])}
    if isinstance(value, dict):
        folded = {name.upper().lower() for name in names}
        if any(name not in names and name.upper().lower() in folded for name in value):
            return False
        if not all(types_fit(schema.get("properties", {}).get(name), inner) for name, inner in value.items()):
            return False
    inner = [*schema.get("allOf", []), schema.get("not")]
    either = schema.get("anyOf", [True])
    return all(types_fit(one, value) for one in inner) and any(types_fit(one, value) for one in either)


def _type_fits(schema: Mapping[str, Any], value: Any) -> bool:
    if "type" in schema:
        return is_kind(schema["type"], value)
    if "enum" in schema:
        return any(_alike(value, one) for one in schema["enum"])
    words = {
        "maximum": "number",
        "minimum": "number",
        "maxLength": "string",
        "properties": "object",
        "required": "object",
    }
    wanted = {kind for word, kind in words.items() if word in schema}
    return not wanted or any(is_kind(kind, value) for kind in wanted)


def conforms(schema: Mapping[str, Any], value: Any) -> bool | None:
    """Whether a value meets a schema; None where it does not, but has not the types that the schema is about."""
    if value is BLOCKED:
        return None
    if Draft202012Validator(schema).is_valid(value):
        return True
    return False if types_fit(schema, value) else None


def _in_ranges(text: str, ranges: Iterable[str], inside: bool) -> bool | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and _may_be_ipv4(address, text):
        return None
    return any(address in ipaddress.ip_network(one) for one in ranges) is inside
