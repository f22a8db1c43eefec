"""Which rules and conditions a set of calls has put to the test, by what OPA says it looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.json_value import Json
from aegis_authz.lab.rule_places import Key, WrittenRule, conditions_of, key_of, rules_of
from aegis_authz.policy.load import LoadedPolicy


@dataclass(frozen=True, slots=True)
class Gap:
    """Something no case has shown: `what` says it in words, `path` and `line` where it was written."""

    path: str
    line: int
    rule: str
    what: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of one document was tried.

    `sides` counts two for each condition: that it was seen to hold, and that it was seen to fail.
    """

    document: str
    rules: int
    rules_reached: int
    sides: int
    sides_seen: int
    gaps: tuple[Gap, ...]

    @property
    def percent(self) -> float:
        return percent_of([self])


def percent_of(documents: Sequence[Coverage]) -> float:
    """How much of all rules and sides of conditions was tried, in percent; of nothing, all."""
    whole = sum(one.rules + one.sides for one in documents)
    seen = sum(one.rules_reached + one.sides_seen for one in documents)
    return 100.0 * seen / whole if whole else 100.0


def coverage_of(written: Sequence[LoadedPolicy], explanations: Sequence[Mapping[str, Json]]) -> list[Coverage]:
    """What `Workbench.explain` says about the calls of all tests, held against what is written, by document."""
    seen = _seen(explanations)
    return [_covered(one, seen.get(one.document.title, {})) for one in written]


@dataclass(slots=True)
class _Seen:
    """What was seen of one rule."""

    held: set[Key] = field(default_factory=set)
    failed: set[Key] = field(default_factory=set)


def _covered(one: LoadedPolicy, seen: Mapping[str, _Seen]) -> Coverage:
    gaps: list[Gap] = []
    rules = rules_of(one)
    sides = sides_seen = reached = 0
    for written in rules:
        conditions = conditions_of(written)
        sides += 2 * len(conditions)
        shown = seen.get(written.id)
        if shown is None:
            gaps.append(_gap(written, written.line, "no case reaches this rule"))
            continue
        reached += 1
        for condition in conditions:
            holds, fails = condition.key in shown.held, condition.key in shown.failed
            sides_seen += holds + fails
            missing = _missing(holds, fails)
            if missing:
                gaps.append(_gap(written, condition.line, f"{condition.label} {condition.condition} {missing}"))
    return Coverage(one.document.title, len(rules), reached, sides, sides_seen, tuple(gaps))


def _gap(written: WrittenRule, line: int, what: str) -> Gap:
    return Gap(written.source.path, line, written.id, what)


def _missing(holds: bool, fails: bool) -> str:
    if holds:
        return "" if fails else "was never seen to fail"
    return "was never seen to hold" if fails else "was never seen to hold, nor to fail"


def _seen(explanations: Sequence[Mapping[str, Json]]) -> dict[str, dict[str, _Seen]]:
    """By document and rule. Documents have one title each, so that a title finds its document."""
    found: dict[str, dict[str, _Seen]] = {}
    for explanation in explanations:
        for document in _objects(explanation.get("documents")):
            rules = found.setdefault(str(document.get("name")), {})
            for rule in _objects(document.get("rules")):
                _look(rules.setdefault(str(rule.get("id")), _Seen()), rule)
    return found


def _look(seen: _Seen, rule: Mapping[str, Json]) -> None:
    for one in _objects(rule.get("conditions")):
        label, condition = str(one.get("parameter")), str(one.get("condition"))
        holds = one.get("holds")
        if condition in ("present", "type"):
            _look_at_presence(seen, label, condition, holds is True)
        elif isinstance(holds, bool):
            (seen.held if holds else seen.failed).add(key_of(label, condition, one.get("limit")))


def _look_at_presence(seen: _Seen, label: str, condition: str, holds: bool) -> None:
    """A value that is there is told with its type, one that is not as not `present`.

    Where a value must be absent (`exists: false`), its absence is what holds.
    """
    if condition == "type":
        (seen.held if holds else seen.failed).add((label, "type", b""))
        seen.held.add((label, "present", b""))
    else:
        seen.failed.add((label, "present", b""))
        if holds:
            seen.held.add(key_of(label, "exists", False))


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, Mapping):
            yield one
