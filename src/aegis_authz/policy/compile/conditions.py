"""The conditions of a rule in their one compiled form: for each value its type and the checks it must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.comparisons import NOTHING_ELSE, Check, Fault, asked_kind, checks_of, fits
from aegis_authz.policy.compile.json_schema import schema_faults, schema_of_member
from aegis_authz.policy.compile.time_windows import time_checks
from aegis_authz.policy.language.rule import Conditions
from aegis_authz.policy.language.types import Other
from aegis_authz.policy.language.values import ParameterRule
from aegis_authz.policy.source.reader import Location

_OVER = "approval_needed_over"
_DEFAULT_PARAMETER = "amount"
_UPPER = ("max", "under", _OVER)
_LOWER = ("min", "over")

Origin = Literal["parameters", "context"]
CONTEXT_TYPES: Mapping[str, str] = {
    "environment": "string",
    "source": "string",
    "on_behalf_of": "string",
    "acted_by": "array",
    "token_age": "number",
    "region": "string",
}
"""The type of what `context` knows besides the time."""


@dataclass(frozen=True, slots=True)
class ValueConditions:
    """All that is asked of one value: a parameter, or something around the call.

    `name` is a parameter's name or JSON pointer ("" for all of them), or a word of `context`. `type` is a JSON type,
    "integer" or "any". A `forbidden` value must not be there.
    """

    of: Origin
    name: str
    optional: bool
    type: str
    checks: tuple[Check, ...]
    forbidden: bool = False

    @property
    def label(self) -> str:
        """How findings name it."""
        return f"context.{self.name}" if self.of == "context" else self.name or "parameters"

    @property
    def path(self) -> tuple[str, ...]:
        return path_of(self.name) if self.of == "parameters" else (self.name,)


def path_of(name: str) -> tuple[str, ...]:
    """The member names that lead to a parameter: its name alone, or the parts of a JSON pointer (RFC 6901)."""
    if not name.startswith("/"):
        return (name,) if name else ()
    return pointer.split(name)


def short_form(key: str) -> tuple[str, str] | None:
    """Split `max_amount` into ("max", "amount"); the parameter is "" for a bare threshold. None for another word."""
    if key == _OVER:
        return _OVER, ""
    for prefix in (_OVER, "max", "min"):
        if key.startswith(prefix + "_") and len(key) > len(prefix) + 1:
            return prefix, key[len(prefix) + 1 :]
    return None


def value_conditions(conditions: Conditions, denying: bool = False) -> tuple[list[ValueConditions], list[Fault]]:
    """Bring all ways of writing conditions into one form, in order of what they are about.

    `denying` conditions say when a rule denies: nothing is added to them. Returns what was understood and all
    faults; only a result without faults may be compiled.
    """
    faults: list[Fault] = []
    drafts: dict[str, _Draft] = {}
    for name, rules in conditions.parameters.items():
        drafts[name] = _drafted(name, rules, faults)
    for key, limit in conditions.short_forms.items():
        _add_short_form(drafts, key, limit, conditions, faults)
    found = [_settled("parameters", drafts[name], faults, denying) for name in sorted(drafts)]
    if conditions.arguments is not None:
        schema, wrong = schema_faults(conditions.arguments)
        faults += [(("schema", *inner), message) for inner, message in wrong]
        check = Check("schema", schema, "deny", {"whole": schema_of_member(schema)})
        found.append(ValueConditions("parameters", "", False, "object", (check,)))
    return found + _around(conditions, faults, denying), faults


@dataclass(slots=True)
class _Draft:
    name: str
    optional: bool = False
    present: bool = False
    type: str | None = None
    checks: list[tuple[Check, Location]] = field(default_factory=list)


def _drafted(name: str, rules: tuple[ParameterRule, ...], faults: list[Fault]) -> _Draft:
    at: Location = ("parameters", name)
    draft = _Draft(name)
    if "" in path_of(name) or any(part.isdecimal() for part in path_of(name)[1:]):
        faults.append((at, "a pointer names members of mappings; write every or any for the elements of a list"))
    for position, rule in enumerate(rules):
        inner = (*at, position)
        draft.optional = draft.optional or rule.optional
        draft.present = draft.present or rule.exists is True
        if rule.type is not None and draft.type not in (None, rule.type):
            faults.append(((*inner, "type"), f"is a {rule.type} here and a {draft.type} above"))
        draft.type = draft.type or rule.type
        draft.checks += checks_of(rule, inner, faults)
    if not draft.checks and draft.type is None and not draft.present:
        faults.append((at, "asks for nothing; write exists: true to ask only that it is present"))
    return draft


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
    if any(check.condition == word for check, _ in draft.checks):
        faults.append(((key,), f"{word} of {name} is given twice"))
        return
    draft.checks.append((Check(word, limit, "approval_needed" if word == _OVER else "deny", {}), (key,)))


def _around(conditions: Conditions, faults: list[Fault], denying: bool) -> list[ValueConditions]:
    found = []
    context = conditions.context
    if context.time is not None:
        found.append(ValueConditions("context", "time", False, "number", time_checks(context.time, faults)))
    for name, kind in CONTEXT_TYPES.items():
        rule: ParameterRule | None = getattr(context, name)
        if rule is None:
            continue
        at: Location = ("context", name)
        checks = checks_of(rule, at, faults)
        draft = _Draft(name, rule.optional, rule.exists is True, rule.type or kind, checks)
        if not draft.checks and not draft.present:
            faults.append((at, "asks for nothing"))
        if rule.type is not None and rule.type != kind:
            faults.append(((*at, "type"), f"{name} is a {kind}"))
        if any(isinstance(value, Other) for value in vars(rule).values()):
            faults.append((at, "is not compared with parameters"))
        found.append(_settled("context", draft, faults, denying))
    return found


def _settled(of: Origin, draft: _Draft, faults: list[Fault], denying: bool) -> ValueConditions:
    kind = _kind(draft, faults)
    words = {check.condition for check, _ in draft.checks}
    checks = [check for check, _ in draft.checks]
    if not denying and not words.isdisjoint(_UPPER) and words.isdisjoint(_LOWER):
        checks.append(Check("min", 0, "deny", {}))  # or minus a million would be "at most 5000"
    _check_order(draft, checks, faults)
    forbidden = "exists" in words
    if forbidden and (draft.present or words != {"exists"}):
        at = next(where for check, where in draft.checks if check.condition == "exists")
        faults += [(at, NOTHING_ELSE)] if (at, NOTHING_ELSE) not in faults else []
    optional = draft.optional or forbidden or (denying and draft.present)
    return ValueConditions(of, draft.name, optional, kind, tuple(checks), forbidden)


def _kind(draft: _Draft, faults: list[Fault]) -> str:
    kind, because = draft.type, "type"
    for check, location in draft.checks:
        asked = asked_kind(check)
        if asked == "mixed":
            faults.append((location, "must hold values of one type"))
        elif asked != "any" and kind in (None, "any"):
            kind, because = asked, check.condition
        elif not fits(asked, kind or "any"):
            faults.append((location, f"is about a {asked}, but {because} is about a {kind}"))
    return kind or "any"


def _check_order(draft: _Draft, checks: list[Check], faults: list[Fault]) -> None:
    """Say so when no value could ever pass; a list of values must leave one, too."""
    refusing = [check for check in checks if check.otherwise == "deny"]
    low = max((_number(check) for check in refusing if check.condition == "min"), default=None)
    high = min((_number(check) for check in refusing if check.condition == "max"), default=None)
    if low is not None and high is not None and low > high:
        given = {check.condition for check, _ in draft.checks}
        at = next(where for check, where in draft.checks if check.condition in ("max", "min"))
        note = "; negative values are refused unless a min is given" if "min" not in given else ""
        faults.append((at, f"no value is at least {low:g} and at most {high:g}{note}"))
    lists = {check.condition: check.limit for check in checks}
    allowed, asked = lists.get("in"), lists.get("approval_needed_in")
    if isinstance(allowed, list) and isinstance(asked, list) and not _hashed(asked) <= _hashed(allowed):
        at = next(where for check, where in draft.checks if check.condition == "approval_needed_in")
        faults.append((at, "names a value that `in` does not allow"))


def _hashed(values: list[Json]) -> set[object]:
    return set(values)  # the lists of conditions hold scalars alone


def _number(check: Check) -> float:
    """The bound, or one that never collides where it is another parameter."""
    if isinstance(check.limit, int | float):
        return check.limit
    return float("-inf") if check.condition == "min" else float("inf")
