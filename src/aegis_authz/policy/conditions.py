"""The conditions of a rule in their one compiled form: for each parameter its type, its checks and its thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.core.json_value import Json
from aegis_authz.policy.document import Conditions, ParameterRule
from aegis_authz.policy.source import Location

_OVER = "approval_needed_over"
_DEFAULT_PARAMETER = "amount"
_NUMERIC = ("max", "min", _OVER)
_TEXTUAL = ("matches", "starts_with")
_CHECKS = ("equals", "in", "not_in", "min", "max", "matches", "starts_with")
_THRESHOLDS = (_OVER, "approval_needed_in")

Fault = tuple[Location, str]
"""Where inside the conditions something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison. `condition` is the word findings use, `limit` what the parameter is held against."""

    condition: str
    limit: Json


@dataclass(frozen=True, slots=True)
class ParameterConditions:
    """All that is asked of one parameter. `type` is a JSON type, "integer" or "any"."""

    name: str
    optional: bool
    type: str
    checks: tuple[Check, ...]
    thresholds: tuple[Check, ...]


@dataclass(slots=True)
class _Draft:
    name: str
    optional: bool = False
    type: str | None = None
    given: dict[str, tuple[Json, Location]] = field(default_factory=dict)


def short_form(key: str) -> tuple[str, str] | None:
    """Split `max_amount` into ("max", "amount"); the parameter is "" for a bare threshold. None for another word."""
    if key == _OVER:
        return _OVER, ""
    for prefix in (_OVER, "max", "min"):
        if key.startswith(prefix + "_") and len(key) > len(prefix) + 1:
            return prefix, key[len(prefix) + 1 :]
    return None


def parameter_conditions(conditions: Conditions) -> tuple[list[ParameterConditions], list[Fault]]:
    """Bring both ways of writing conditions into one form, in order of parameter name.

    Returns what was understood and all faults; only a result without faults may be compiled.
    """
    faults: list[Fault] = []
    drafts: dict[str, _Draft] = {}
    for name, rule in conditions.parameters.items():
        drafts[name] = _from_rule(name, rule)
        if not drafts[name].given and rule.type is None:
            faults.append((("parameters", name), "asks for nothing; write type: any to ask only that it is present"))
    for key, limit in conditions.short_forms.items():
        _add_short_form(drafts, key, limit, conditions, faults)
    found = [_settled(drafts[name], faults) for name in sorted(drafts)]
    return found, faults


def _from_rule(name: str, rule: ParameterRule) -> _Draft:
    given: dict[str, tuple[Json, Location]] = {}
    for word in (*_CHECKS, *_THRESHOLDS):
        value = getattr(rule, "allowed" if word == "in" else word)
        if value is not None:
            limit = list(value) if isinstance(value, tuple) else value
            given[word] = (limit, ("parameters", name, word))
    return _Draft(name, rule.optional, rule.type, given)


def _add_short_form(
    drafts: dict[str, _Draft], key: str, limit: float, conditions: Conditions, faults: list[Fault]
) -> None:
    split = short_form(key)
    if split is None:
        return  # complained of where the document is read
    word, name = split
    if not name:
        bounded = sorted({inner[1] for inner in map(short_form, conditions.short_forms) if inner and inner[0] != _OVER})
        if len(bounded) > 1:
            faults.append(((key,), f"which parameter? write {_OVER}_{bounded[0]} or {_OVER}_{bounded[1]}"))
            return
        name = bounded[0] if bounded else _DEFAULT_PARAMETER
    draft = drafts.setdefault(name, _Draft(name))
    if word in draft.given:
        faults.append(((key,), f"{word} of {name} is given twice"))
        return
    draft.given[word] = (limit, (key,))


def _settled(draft: _Draft, faults: list[Fault]) -> ParameterConditions:
    kind = _kind(draft, faults)
    given = {word: limit for word, (limit, _) in draft.given.items()}
    if ("max" in given or _OVER in given) and "min" not in given:
        given["min"] = 0  # or minus a million would be "at most 5000"
    _check_order(draft, given, faults)
    _check_pattern(draft, faults)
    return ParameterConditions(
        name=draft.name,
        optional=draft.optional,
        type=kind,
        checks=tuple(Check(word, given[word]) for word in _CHECKS if word in given),
        thresholds=tuple(Check(word, given[word]) for word in _THRESHOLDS if word in given),
    )


def _kind(draft: _Draft, faults: list[Fault]) -> str:
    kind, because = draft.type, "type"
    for word, (limit, location) in draft.given.items():
        asked = _asked_kind(word, limit)
        if asked == "mixed":
            faults.append((location, "must hold values of one type"))
        elif kind is None or kind == "any":
            kind, because = asked, word
        elif not fits(asked, kind):
            faults.append((location, f"is about a {asked}, but {because} is about a {kind}"))
    return kind or "any"


def fits(asked: str, declared: str) -> bool:
    """Whether a condition about one type can hold for a parameter of another."""
    numbers = ("number", "integer")
    return asked == declared or "any" in (asked, declared) or (asked in numbers and declared in numbers)


def _asked_kind(word: str, limit: Json) -> str:
    if word in _NUMERIC:
        return "number"
    if word in _TEXTUAL:
        return "string"
    values = limit if isinstance(limit, list) else [limit]
    kinds = {_kind_of(value) for value in values}
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of(value: Json) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _check_order(draft: _Draft, given: Mapping[str, Json], faults: list[Fault]) -> None:
    low, high, over = (_as_number(given.get(word)) for word in ("min", "max", _OVER))
    if low is not None and high is not None and low > high:
        word = "max" if "max" in draft.given else "min"
        note = "; negative values are refused unless a min is given" if "min" not in draft.given else ""
        faults.append((draft.given[word][1], f"no value is at least {low} and at most {high}{note}"))
    if over is not None and high is not None and over > high:
        faults.append((draft.given[_OVER][1], f"can never be reached: above {high} the call is denied"))
    allowed, asked = given.get("in"), given.get("approval_needed_in")
    if isinstance(allowed, list) and isinstance(asked, list) and not all(value in allowed for value in asked):
        faults.append((draft.given["approval_needed_in"][1], "names a value that `in` does not allow"))


def _as_number(value: Json) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _check_pattern(draft: _Draft, faults: list[Fault]) -> None:
    pattern, location = draft.given.get("matches", (None, ()))
    if not isinstance(pattern, str):
        return
    options = re2.Options()
    options.log_errors = False
    for text in (pattern, anchored(pattern)):
        try:
            re2.compile(text, options)
        except re2.error as fault:
            reason = fault.args[0].decode("utf-8", "replace") if isinstance(fault.args[0], bytes) else str(fault)
            faults.append((location, f"is not an RE2 pattern: {reason}"))
            return


def anchored(pattern: str) -> str:
    """The pattern, made to match the whole text and nothing less."""
    return f"\\A(?:{pattern})\\z"
