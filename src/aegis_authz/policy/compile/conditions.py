"""The conditions of a rule in their one compiled form: for each value its type and the checks it must pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from aegis_authz.core.json_value import Json
from aegis_authz.encoding import pointer
from aegis_authz.policy.compile.comparisons import NOTHING_ELSE, Check, Fault, asked_kind, checks_of, fits, schema_check
from aegis_authz.policy.compile.time_windows import time_checks
from aegis_authz.policy.language.circumstances import CONTEXT_WORDS
from aegis_authz.policy.language.operators import BARE_FORMS, LOWER, OPERATORS, SHORT_FORMS, UPPER, Operand
from aegis_authz.policy.language.rule import Conditions
from aegis_authz.policy.language.types import ParameterReference
from aegis_authz.policy.language.values import ParameterRule
from aegis_authz.policy.source.reader import Location

_BARE = BARE_FORMS[0]
DEFAULT_PARAMETER = "amount"
"""What a bare threshold is about where no other parameter has a bound."""

Origin = Literal["parameters", "context"]


@dataclass(frozen=True, slots=True)
class ValueConditions:
    """All that is asked of one value: a parameter, or something around the call.

    `name` is a parameter's name or JSON pointer ("" for all of them), or a word of `context`. `type` is a JSON type,
    "integer" or "any". A `forbidden` value must not be there; null is no `nullable` one. `shape` is where its "type"
    and that it is "present" are written; they become no checks.
    """

    of: Origin
    name: str
    optional: bool
    type: str
    checks: tuple[Check, ...]
    forbidden: bool = False
    nullable: bool = False
    shape: tuple[tuple[str, Location], ...] = ()

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
    if key in BARE_FORMS:
        return key, ""
    for word in SHORT_FORMS:
        if key.startswith(word + "_") and len(key) > len(word) + 1:
            return word, key[len(word) + 1 :]
    return None


def value_conditions(conditions: Conditions, denying: bool = False) -> tuple[list[ValueConditions], list[Fault]]:
    """Bring all ways of writing conditions into one form, in order of what they are about.

    `denying` conditions say when a rule denies: nothing is added to them. Returns what was understood and all
    faults; only a result without faults may be compiled.
    """
    drafts: dict[str, _Draft] = {}
    faults: list[Fault] = []
    for name, rules in conditions.parameters.items():
        drafts[name], wrong = _drafted(name, rules)
        faults += wrong
    for key, limit in conditions.short_forms.items():
        name, added = _short_form_check(key, limit, conditions, drafts)
        if isinstance(added, str):
            faults.append(((key,), added))
        elif added is not None:
            draft = drafts.get(name, _Draft(name))
            drafts[name] = replace(draft, checks=(*draft.checks, added))
    values = []
    for name in sorted(drafts):
        value, wrong = _settled("parameters", drafts[name], denying)
        values.append(value)
        faults += wrong
    if conditions.arguments is not None:
        check, wrong = schema_check(conditions.arguments, ("schema",), "deny")
        values.append(ValueConditions("parameters", "", False, "object", (check,)))
        faults += wrong
    around, wrong = _around(conditions, denying)
    return values + around, [*dict.fromkeys(faults + wrong)]


@dataclass(frozen=True, slots=True)
class _Draft:
    """What is asked of one value so far."""

    name: str
    optional: bool = False
    present: bool = False
    type: str | None = None
    checks: tuple[Check, ...] = ()
    shape: tuple[tuple[str, Location], ...] = ()


def _drafted(name: str, rules: tuple[ParameterRule, ...]) -> tuple[_Draft, list[Fault]]:
    at: Location = ("parameters", name)
    faults: list[Fault] = []
    draft = _Draft(name)
    if "" in path_of(name) or any(part.isdecimal() for part in path_of(name)[1:]):
        faults.append((at, "a pointer names members of mappings; write every or any for the elements of a list"))
    for position, rule in enumerate(rules):
        location = (*at, position)
        checks, wrong = checks_of(rule, location)
        faults += wrong
        if rule.type is not None and draft.type not in (None, rule.type):
            faults.append(((*location, "type"), f"is a {rule.type} here and a {draft.type} above"))
        draft = _Draft(
            name=name,
            optional=draft.optional or rule.optional,
            present=draft.present or rule.exists is True,
            type=draft.type or rule.type,
            checks=(*draft.checks, *checks),
            shape=(*draft.shape, *_shape(rule, location)),
        )
    if not draft.checks and draft.type is None and not draft.present:
        faults.append((at, "asks for nothing; write exists: true to ask only that it is present"))
    return draft, faults


def _shape(rule: ParameterRule, at: Location) -> Iterator[tuple[str, Location]]:
    if rule.type is not None:
        yield "type", (*at, "type")
    if rule.exists is True:
        yield "present", (*at, "exists")


def _short_form_check(
    key: str, limit: float, conditions: Conditions, drafts: Mapping[str, _Draft]
) -> tuple[str, Check | str | None]:
    """The parameter a short form is about, and its check; or what is wrong with it.

    None for what is no short form: that was complained of where the document was read.
    """
    split = short_form(key)
    if split is None:
        return "", None
    word, name = split
    if not name:
        forms = (form for form in map(short_form, conditions.short_forms) if form is not None)
        bounded = sorted({parameter for bound, parameter in forms if bound not in BARE_FORMS})
        if len(bounded) > 1:
            return "", f"which parameter? write {_BARE}_{bounded[0]} or {_BARE}_{bounded[1]}"
        name = bounded[0] if bounded else DEFAULT_PARAMETER
    if name in drafts and any(check.condition == word for check in drafts[name].checks):
        return name, f"{word} of {name} is given twice"
    return name, Check(word, limit, "approval_needed" if OPERATORS[word].asks_approval else "deny", {}, (key,))


def _around(conditions: Conditions, denying: bool) -> tuple[list[ValueConditions], list[Fault]]:
    values: list[ValueConditions] = []
    faults: list[Fault] = []
    context = conditions.context
    if context.time is not None:
        checks = time_checks(context.time, ("context", "time"))
        values.append(ValueConditions("context", "time", False, "number", checks))
        if not checks:
            faults.append((("context", "time"), "must have within or not_within or both"))
    for name, word in CONTEXT_WORDS.items():
        rule = getattr(context, name)
        if isinstance(rule, ParameterRule):
            value, wrong = _circumstance(name, word.json_type, rule, denying)
            values.append(value)
            faults += wrong
    return values, faults


def _circumstance(name: str, kind: str, rule: ParameterRule, denying: bool) -> tuple[ValueConditions, list[Fault]]:
    at: Location = ("context", name)
    checks, faults = checks_of(rule, at)
    draft = _Draft(name, rule.optional, rule.exists is True, rule.type or kind, tuple(checks), tuple(_shape(rule, at)))
    if not draft.checks and not draft.present:
        faults.append((at, "asks for nothing"))
    if rule.type is not None and rule.type != kind:
        faults.append(((*at, "type"), f"{name} is a {kind}"))
    if any(isinstance(value, ParameterReference) for value in vars(rule).values()):
        faults.append((at, "is not compared with parameters"))
    value, wrong = _settled("context", draft, denying)
    return value, faults + wrong


def _settled(of: Origin, draft: _Draft, denying: bool) -> tuple[ValueConditions, list[Fault]]:
    kind, faults = _kind(draft)
    words = {check.condition for check in draft.checks}
    checks = draft.checks
    if not denying and not words.isdisjoint(UPPER) and words.isdisjoint(LOWER):
        checks = (*checks, Check("min", 0, "deny", {}, None))  # or minus a million would be "at most 5000"
    faults += _order_faults(checks)
    absences = [check for check in checks if OPERATORS[check.condition].operand is Operand.PRESENCE]
    forbidden = bool(absences)
    if forbidden and (draft.present or len(words) > 1):
        faults.append((absences[0].at or (), NOTHING_ELSE))
    optional = draft.optional or forbidden or (denying and draft.present)
    return ValueConditions(of, draft.name, optional, kind, checks, forbidden, draft.optional, draft.shape), faults


def _kind(draft: _Draft) -> tuple[str, list[Fault]]:
    kind, because = draft.type, "type"
    faults: list[Fault] = []
    for check in draft.checks:
        check_kind, at = asked_kind(check), check.at or ()
        if check_kind == "mixed":
            faults.append((at, "must hold values of one type"))
        elif check_kind != "any" and kind in (None, "any"):
            kind, because = check_kind, check.condition
        elif not fits(check_kind, kind or "any"):
            faults.append((at, f"is about a {check_kind}, but {because} is about a {kind}"))
    return kind or "any", faults


def _order_faults(checks: Sequence[Check]) -> Iterator[Fault]:
    """Say so when no value could ever pass; a list of values must leave one, too."""
    bounds = [check for check in checks if check.otherwise == "deny" and check.condition in ("min", "max")]
    low = max((_number(check) for check in bounds if check.condition == "min"), default=None)
    high = min((_number(check) for check in bounds if check.condition == "max"), default=None)
    if low is not None and high is not None and low > high:
        at = next(check.at for check in checks if check.at is not None and check.condition in ("min", "max"))
        is_given = any(check.condition == "min" and check.at is not None for check in checks)
        note = "" if is_given else "; negative values are refused unless a min is given"
        yield at, f"no value is at least {low:g} and at most {high:g}{note}"
    lists = {check.condition: check for check in checks}
    allowed, approval = lists.get("in"), lists.get("approval_needed_in")
    if allowed is not None and approval is not None and not _hashed(approval.limit) <= _hashed(allowed.limit):
        yield approval.at or (), "names a value that `in` does not allow"


def _hashed(values: Json) -> set[object]:
    return set(values) if isinstance(values, list) else set()  # the lists of conditions hold scalars alone


def _number(check: Check) -> float:
    """The bound, or one that never collides where it is another parameter."""
    if isinstance(check.limit, int | float):
        return check.limit
    return float("-inf") if check.condition == "min" else float("inf")
