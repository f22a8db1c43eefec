"""Comparisons as written, turned into checks: the word findings use, what is compared with, and what Rego needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.json_schema import schema_faults, schema_of_member
from aegis_authz.policy.language.types import Other
from aegis_authz.policy.language.values import Comparisons, ElementRule, Otherwise, ParameterRule, Size
from aegis_authz.policy.source.problems import printable
from aegis_authz.policy.source.reader import Location

MAX_PATTERN = 4096
"""How many characters a pattern may have."""

NOTHING_ELSE = "a parameter that must be absent has no other condition"

_NUMERIC = ("max", "min", "over", "under", "approval_needed_over")
_TEXTUAL = ("matches", "starts_with", "ends_with", "length", "in_ranges", "not_in_ranges")
_HOSTS = ("host_in", "url_host_in", "email_domain_in")
_LISTS = ("count", "every", "any")
_FIELDS = {
    "equals": "equals",
    "not": "differs",
    "in": "allowed",
    "not_in": "not_in",
    "min": "min",
    "max": "max",
    "over": "over",
    "under": "under",
    "matches": "matches",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "length": "length",
    "host_in": "host_in",
    "url_host_in": "url_host_in",
    "email_domain_in": "email_domain_in",
    "in_ranges": "in_ranges",
    "not_in_ranges": "not_in_ranges",
}

Fault = tuple[Location, str]
"""Where inside the conditions something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    `condition` is the word findings use, `limit` what is compared with, as it is shown. `otherwise` is what a
    failure means: "deny" or "approval_needed". `compiled` is what Rego reads besides.
    """

    condition: str
    limit: Json
    otherwise: Otherwise
    compiled: Mapping[str, Json]


def checks_of(rule: ParameterRule, at: Location, faults: list[Fault]) -> list[tuple[Check, Location]]:
    """The checks of one parameter rule, each with its place, in a fixed order. Faults are added to `faults`."""
    otherwise = rule.otherwise
    found = [
        (Check(word, limit, otherwise, compiled), where)
        for word, limit, compiled, where in _comparisons(rule, at, faults)
    ]
    if rule.exists is False:
        if rule.optional or rule.type is not None or found:
            faults.append(((*at, "exists"), NOTHING_ELSE))
        found.append((Check("exists", False, otherwise, {}), (*at, "exists")))
    if rule.count is not None:
        found.append((Check("count", _size(rule.count), otherwise, {}), (*at, "count")))
    for word, element in (("every", rule.every), ("any", rule.some)):
        if element is not None:
            found.append((_of_elements(word, element, otherwise, (*at, word), faults), (*at, word)))
    if rule.json_schema is not None:
        schema, wrong = schema_faults(rule.json_schema)
        faults += [((*at, "schema", *inner), message) for inner, message in wrong]
        found.append((Check("schema", schema, otherwise, {"whole": schema_of_member(schema)}), (*at, "schema")))
    for word, limit in (
        ("approval_needed_over", rule.approval_needed_over),
        ("approval_needed_in", rule.approval_needed_in),
    ):
        if limit is not None:
            found.append((Check(word, _shown(limit), "approval_needed", _against(limit)), (*at, word)))
    return found


def asked_kind(check: Check) -> str:
    """The JSON type a value must have for a check to make sense; "mixed" when its limits have several."""
    word, limit = check.condition, check.limit
    if word in _NUMERIC:
        return "number"
    if word in _TEXTUAL or word in _HOSTS:
        return "string"
    if word in _LISTS:
        return "array"
    if word in ("exists", "schema") or isinstance(limit, Mapping):
        return "any"
    kinds = {_kind_of(value) for value in (limit if isinstance(limit, list) else [limit])}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def fits(asked: str, declared: str) -> bool:
    """Whether a condition about one type can hold for a parameter of another."""
    numbers = ("number", "integer")
    return asked == declared or "any" in (asked, declared) or (asked in numbers and declared in numbers)


def anchored(pattern: str) -> str:
    """The pattern, made to match the whole text and nothing less."""
    return f"\\A(?:{pattern})\\z"


def _comparisons(
    rule: Comparisons, at: Location, faults: list[Fault]
) -> Iterator[tuple[str, Json, Mapping[str, Json], Location]]:
    for word, name in _FIELDS.items():
        value = getattr(rule, name)
        if value is None:
            continue
        where = (*at, word)
        compiled = _against(value)
        if word == "matches":
            _check_pattern(value, where, faults)
            compiled = {"pattern": anchored(value)}
        elif word in _HOSTS:
            compiled = _host_sets(value)
        yield word, _shown(value), compiled, where


def _of_elements(word: str, rule: ElementRule, otherwise: Otherwise, at: Location, faults: list[Fault]) -> Check:
    checks: list[Json] = []
    limit: dict[str, Json] = {} if rule.at is None else {"at": rule.at}
    kind: str = rule.type or "any"
    for inner, value, compiled, where in _comparisons(rule, at, faults):
        check = Check(inner, value, otherwise, compiled)
        asked = asked_kind(check)
        if "than" in compiled:
            faults.append((where, "elements are not compared with parameters"))
        if asked == "mixed":
            faults.append((where, "must hold values of one type"))
        elif kind == "any":
            kind = asked
        elif not fits(asked, kind):
            faults.append((where, f"is about a {asked}, but the elements are of type {kind}"))
        checks.append({"condition": inner, "limit": value, **compiled})
        limit[inner] = value
    if not checks and rule.type is None:
        faults.append((at, "asks for nothing"))
    if rule.type is not None:
        limit["type"] = rule.type
    path: list[Json] = [] if rule.at is None else [*pointer.split(rule.at)]
    return Check(word, limit, otherwise, {"type": kind, "path": path, "checks": checks})


def _shown(value: object) -> Json:
    if isinstance(value, Other):
        return {"parameter": value.parameter}
    if isinstance(value, Size):
        return _size(value)
    return list(value) if isinstance(value, tuple) else value  # type: ignore[return-value]  # a scalar


def _against(value: object) -> dict[str, Json]:
    if not isinstance(value, Other):
        return {}
    name = value.parameter
    return {"than": [*pointer.split(name)] if name.startswith("/") else [name]}


def _size(size: Size) -> Json:
    return {word: bound for word in ("equals", "min", "max") if (bound := getattr(size, word)) is not None}


def _host_sets(patterns: tuple[str, ...]) -> dict[str, Json]:
    return {
        "hosts": {host: True for host in sorted(patterns) if not host.startswith("*.")},
        "suffixes": sorted(host[1:] for host in patterns if host.startswith("*.")),
    }


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _check_pattern(pattern: str, location: Location, faults: list[Fault]) -> None:
    fault = pattern_fault(pattern)
    if fault is not None:
        faults.append((location, fault))


@lru_cache(maxsize=1024)
def pattern_fault(pattern: str) -> str | None:
    """Why a text cannot be a pattern of `matches`, None if it can."""
    if len(pattern) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN} characters"
    options = re2.Options()
    options.log_errors = False
    for text in (pattern, anchored(pattern)):
        try:
            re2.compile(text, options)
        except re2.error as fault:
            reason = fault.args[0].decode("utf-8", "replace") if isinstance(fault.args[0], bytes) else str(fault)
            return f"is not an RE2 pattern: {printable(reason[:200])}"
    return None
