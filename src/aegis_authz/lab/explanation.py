"""Why a call is decided as it is, as rego/explain.rego tells it, with the places where everything was written.

Nothing here judges: what is not told to the letter is an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.grants import LookedAtNarrowing, looked_at_grant
from aegis_authz.lab.met_limits import MetLimit, met_limits
from aegis_authz.lab.opa import LabError
from aegis_authz.lab.rule_places import Key, WrittenRule, conditions_of, key_of, line_of, rules_of
from aegis_authz.policy.load import LoadedPolicy
from aegis_authz.wire.opa.answer import decisions_from_data

ConditionState = Literal["held", "failed", "not reached"]
Failing = Literal["deny", "approval_needed", "excuses"]

_EFFECTS = frozenset(effect.value for effect in Effect)
_EXCUSED = "excused"


@dataclass(frozen=True, slots=True)
class LookedAtCondition:
    """What became of one condition.

    `limit` is what the value is compared with; `value` is None where it is not `there`. `failing` is what it
    means when the condition does not hold; in a rule that denies, it excuses the call. `line` is where it was written,
    None for what nobody wrote: the type a condition implies, and the 0 below which an upper bound refuses.
    """

    parameter: str
    condition: str
    limit: Json
    value: Json
    there: bool
    state: ConditionState
    failing: Failing
    line: int | None


@dataclass(frozen=True, slots=True)
class LookedAtRule:
    """What became of one rule that lists the action. `outcome` is an effect, or `excused` for one that `denies`."""

    id: str
    denies: bool
    outcome: str
    path: str
    line: int
    conditions: tuple[LookedAtCondition, ...]


@dataclass(frozen=True, slots=True)
class LookedAtDocument:
    """What became of one document that covers the agent. `outside`: the tool is in none of its `regions`."""

    name: str
    mode: str
    regions: tuple[str, ...] | None
    outside: bool
    path: str
    line: int
    rules: tuple[LookedAtRule, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A call, its decision and all that led to it, enforcing documents first. `grant` is empty where there is none.

    A Refused is a decision the mesh could not read and would deny.
    """

    call: TriedCall
    decision: Decision | Refused
    documents: tuple[LookedAtDocument, ...]
    grant: tuple[LookedAtNarrowing, ...]
    limits: tuple[MetLimit, ...]


def explanation_of(call: TriedCall, data: Mapping[str, Json], policies: Sequence[LoadedPolicy]) -> Explanation:
    """Read what `Workbench.explain` told of one call. `policies` are the documents it was told about.

    Raises LabError for anything but the known shape.
    """
    members = _members(data, ("decision", "grant", "documents"), "an explanation")
    documents = _list(members["documents"], "documents")
    by_name = {policy.document.title: policy for policy in policies}
    [decision] = decisions_from_data({"revision": "lab", "decisions": [members["decision"]]}, 1)
    try:
        grant = looked_at_grant(members["grant"])
    except ValueError as fault:
        raise _unknown(str(fault)) from None
    looked_at = (_document(document, by_name, call) for document in documents)
    ordered = tuple(sorted(looked_at, key=lambda document: document.mode))
    return Explanation(call, decision, ordered, grant, met_limits(decision, policies))


def _document(data: Json, by_name: Mapping[str, LoadedPolicy], call: TriedCall) -> LookedAtDocument:
    members = _members(data, ("name", "mode", "regions", "outside", "rules"), "a document")
    name, mode, outside = _text(members["name"]), _text(members["mode"]), members["outside"]
    if name not in by_name or mode not in ("enforce", "shadow") or not isinstance(outside, bool):
        raise _unknown("a document nobody wrote")
    policy = by_name[name]
    rules = {rule.id: rule for rule in rules_of(policy)}
    regions = members["regions"]
    return LookedAtDocument(
        name=name,
        mode=mode,
        regions=None if regions is None else tuple(map(_text, _list(regions, "regions"))),
        outside=outside,
        path=policy.source.path,
        line=line_of(policy.source, ()),
        rules=tuple(_rule(rule, rules, call) for rule in _list(members["rules"], "rules")),
    )


def _rule(data: Json, rules: Mapping[str, WrittenRule], call: TriedCall) -> LookedAtRule:
    members = _members(data, ("id", "outcome", "conditions"), "a rule")
    name, outcome = _text(members["id"]), _text(members["outcome"])
    rule = rules.get(name)
    denies = rule is not None and rule.compiled.denies
    if rule is None or outcome not in ({_EXCUSED, "deny"} if denies else _EFFECTS):
        raise _unknown("a rule nobody wrote, or an unknown outcome")
    conditions = [_condition(condition) for condition in _list(members["conditions"], "conditions")]
    absent = {condition.parameter for condition in conditions if condition.condition == "present"}
    forbidden = {
        condition.parameter for condition in conditions if condition.condition == "exists" and condition.limit is False
    }
    lines: dict[Key, int] = {}
    for condition in conditions_of(rule):
        lines.setdefault(condition.key, condition.line)
    return LookedAtRule(
        id=name,
        denies=denies,
        outcome=outcome,
        path=rule.source.path,
        line=rule.line,
        conditions=tuple(
            LookedAtCondition(
                parameter=condition.parameter,
                condition=condition.condition,
                limit=condition.limit,
                value=call.context.time if condition.parameter == "context.time" else condition.value,
                there=condition.parameter not in absent,
                state=_state(condition, denies and condition.parameter not in forbidden),
                failing=_failing(condition, denies, outcome, condition.parameter in forbidden),
                line=lines.get(condition.key),
            )
            for condition in conditions
        ),
    )


@dataclass(frozen=True, slots=True)
class _OpaCondition:
    """A condition as OPA tells it; `holds` None where it was not reached."""

    parameter: str
    condition: str
    limit: Json
    value: Json
    holds: bool | None
    otherwise: Failing

    @property
    def key(self) -> Key:
        """How it is known again where it was written."""
        if self.condition in ("present", "type"):
            return self.parameter, self.condition, b""
        return key_of(self.parameter, self.condition, self.limit)


def _condition(data: Json) -> _OpaCondition:
    members = _members(data, ("parameter", "condition", "limit", "seen", "holds", "otherwise"), "a condition")
    holds, otherwise = members["holds"], members["otherwise"]
    if not isinstance(holds, bool) and holds is not None:
        raise _unknown("a condition that neither holds nor fails")
    meaning: Failing = "approval_needed" if otherwise == "approval_needed" else "deny"
    if otherwise != meaning:
        raise _unknown("a condition of unknown meaning")
    parameter, condition = _text(members["parameter"]), _text(members["condition"])
    return _OpaCondition(parameter, condition, members["limit"], members["seen"], holds, meaning)


def _state(condition: _OpaCondition, excusable: bool) -> ConditionState:
    if condition.holds is None:
        return "not reached"
    if condition.condition == "present" and condition.holds and excusable:
        return "failed"  # a rule that denies is about a value that is there
    return "held" if condition.holds else "failed"


def _failing(condition: _OpaCondition, denies: bool, outcome: str, forbidden: bool) -> Failing:
    """In a rule that denies, only what is known not to hold excuses: not what is missing,
    of another type or unreadable.
    """
    if not denies:
        return condition.otherwise
    if condition.condition == "present":
        return "excuses" if condition.holds and not forbidden else "deny"
    if condition.condition == "type" or (condition.holds is False and outcome != _EXCUSED):
        return "deny"
    return "excuses"


def _members(data: Json, names: Sequence[str], kind: str) -> Mapping[str, Json]:
    if not isinstance(data, Mapping) or data.keys() != set(names):
        raise _unknown(f"{kind} without exactly {', '.join(names)}")
    return data


def _list(data: Json, kind: str) -> Sequence[Json]:
    if not isinstance(data, list):
        raise _unknown(f"{kind} that are no list")
    return data


def _text(data: Json) -> str:
    if not isinstance(data, str):
        raise _unknown("something else where a text should be")
    return data


def _unknown(shape: str) -> LabError:
    return LabError(f"OPA explained in a way this version does not know: {shape}")
