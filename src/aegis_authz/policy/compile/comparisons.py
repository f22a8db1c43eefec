"""Comparisons as written, turned into checks: the word findings use, what is compared with, and what Rego needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.json_schema import schema_faults, schema_of_member
from aegis_authz.policy.language.operators import OF_OPERAND, OPERATORS, Holder, Operand, Operator, words_with
from aegis_authz.policy.language.types import ParameterReference
from aegis_authz.policy.language.values import Comparisons, ElementRule, Otherwise, ParameterRule, Size
from aegis_authz.policy.source.problems import printable
from aegis_authz.policy.source.reader import Location

MAX_PATTERN = 4096
"""How many characters a pattern may have."""

NOTHING_ELSE = "a parameter that must be absent has no other condition"

_OF_VALUES = tuple(
    operator
    for operator in OPERATORS.values()
    if operator.holder is Holder.VALUE and operator.operand is not Operand.KIND
)
_OF_PARAMETERS = tuple(operator for operator in OPERATORS.values() if operator.holder is Holder.PARAMETER)

Fault = tuple[Location, str]
"""Where inside the conditions something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison.

    `condition` is the word findings use, `limit` what is compared with, as it is shown. `otherwise` is what a
    failure means: "deny" or "approval_needed". `compiled` is what Rego reads besides. `at` is where it was written
    inside the conditions, None for what nobody wrote.
    """

    condition: str
    limit: Json
    otherwise: Otherwise
    compiled: Mapping[str, Json]
    at: Location | None


def checks_of(rule: ParameterRule, at: Location) -> tuple[list[Check], list[Fault]]:
    """The checks of one parameter rule that stands at `at`, in a fixed order, and what is wrong with them."""
    checks = [*_value_checks(rule, at, rule.otherwise)]
    faults = [*_pattern_faults(rule, at)]
    compares_itself = bool(checks)
    for operator in _OF_PARAMETERS:
        value = getattr(rule, operator.field)
        where = (*at, operator.word)
        if value is None or value is True:  # `exists: true` only asks for the value
            continue
        if operator.operand is Operand.PRESENCE and (rule.optional or rule.type is not None or compares_itself):
            faults.append((where, NOTHING_ELSE))
        check, wrong = _parameter_check(operator, value, where, rule.otherwise)
        checks.append(check)
        faults += wrong
    return checks, faults


def schema_check(schema: Mapping[str, object], at: Location, otherwise: Otherwise) -> tuple[Check, list[Fault]]:
    """The check that a value conforms to a JSON Schema, and what is wrong with the schema."""
    plain, wrong = schema_faults(schema)
    faults: list[Fault] = [((*at, *location), message) for location, message in wrong]
    return Check("schema", plain, otherwise, {"whole": schema_of_member(plain)}, at), faults


def asked_kind(check: Check) -> str:
    """The JSON type a value must have for a check to make sense; "mixed" when its limits have several."""
    kind, limit = OPERATORS[check.condition].json_type, check.limit
    if kind != OF_OPERAND:
        return kind
    if isinstance(limit, Mapping):
        return "any"
    kinds = {_kind_of(value) for value in (limit if isinstance(limit, list) else [limit])}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def fits(kind: str, declared: str) -> bool:
    """Whether a condition about one type can hold for a parameter of another."""
    numbers = ("number", "integer")
    return kind == declared or "any" in (kind, declared) or (kind in numbers and declared in numbers)


def anchored(pattern: str) -> str:
    """The pattern, made to match the whole text and nothing less."""
    return f"\\A(?:{pattern})\\z"


def _value_checks(rule: Comparisons, at: Location, otherwise: Otherwise) -> Iterator[Check]:
    for operator in _OF_VALUES:
        value = getattr(rule, operator.field)
        if value is not None:
            yield Check(operator.word, _limit(value), otherwise, _compiled(operator, value), (*at, operator.word))


def _compiled(operator: Operator, value: object) -> Mapping[str, Json]:
    """What Rego reads besides the limit."""
    if operator.operand is Operand.PATTERN:
        return {"pattern": anchored(str(value))}
    if operator.operand is Operand.HOSTS and isinstance(value, tuple):
        return _host_sets(value)
    return _against(value)


def _pattern_faults(rule: Comparisons, at: Location) -> Iterator[Fault]:
    for word in words_with(Operand.PATTERN):
        pattern = getattr(rule, OPERATORS[word].field)
        fault = None if pattern is None else pattern_fault(pattern)
        if fault is not None:
            yield (*at, word), fault


def _parameter_check(
    operator: Operator, value: object, at: Location, otherwise: Otherwise
) -> tuple[Check, list[Fault]]:
    if isinstance(value, ElementRule):
        return _element_check(operator.word, value, at, otherwise)
    if operator.operand is Operand.SCHEMA and isinstance(value, Mapping):
        return schema_check(value, at, otherwise)
    meaning: Otherwise = "approval_needed" if operator.asks_approval else otherwise
    return Check(operator.word, _limit(value), meaning, _compiled(operator, value), at), []


def _element_check(word: str, rule: ElementRule, at: Location, otherwise: Otherwise) -> tuple[Check, list[Fault]]:
    checks = [*_value_checks(rule, at, otherwise)]
    faults = [*_pattern_faults(rule, at)]
    kind: str = rule.type or "any"
    for check in checks:
        where, check_kind = check.at or at, asked_kind(check)
        if "than" in check.compiled:
            faults.append((where, "elements are not compared with parameters"))
        if check_kind == "mixed":
            faults.append((where, "must hold values of one type"))
        elif kind == "any":
            kind = check_kind
        elif not fits(check_kind, kind):
            faults.append((where, f"is about a {check_kind}, but the elements are of type {kind}"))
    if not checks and rule.type is None:
        faults.append((at, "asks for nothing"))
    limit: dict[str, Json] = {} if rule.at is None else {"at": rule.at}
    limit |= {check.condition: check.limit for check in checks}
    if rule.type is not None:
        limit["type"] = rule.type
    path: list[Json] = [] if rule.at is None else [*pointer.split(rule.at)]
    listed: list[Json] = [{"condition": check.condition, "limit": check.limit, **check.compiled} for check in checks]
    return Check(word, limit, otherwise, {"type": kind, "path": path, "checks": listed}, at), faults


def _limit(value: object) -> Json:
    if isinstance(value, ParameterReference):
        return {"parameter": value.parameter}
    if isinstance(value, Size):
        return _size(value)
    return list(value) if isinstance(value, tuple) else value  # type: ignore[return-value]  # a scalar


def _against(value: object) -> dict[str, Json]:
    if not isinstance(value, ParameterReference):
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
