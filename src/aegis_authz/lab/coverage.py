"""Which rules and conditions a set of calls has put to the test, by what OPA says it looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.json_value import Json
from aegis_authz.lab.rule_places import Key, WrittenRule, conditions_of, key_of, rules_of
from aegis_authz.policy.load import LoadedPolicy


@dataclass(frozen=True, slots=True)
class Gap:
    """Something no case has shown: `words` says what, `path` and `line` say where it was written."""

    path: str
    line: int
    rule: str
    words: str


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
    whole = sum(document.rules + document.sides for document in documents)
    part = sum(document.rules_reached + document.sides_seen for document in documents)
    return 100.0 * part / whole if whole else 100.0


def coverage_of(policies: Sequence[LoadedPolicy], explanations: Sequence[Mapping[str, Json]]) -> list[Coverage]:
    """What `Workbench.explain` says about the calls of all tests, held against what is written, by document."""
    sightings = _sightings(explanations)
    return [_covered(policy, sightings.get(policy.document.title, {})) for policy in policies]


@dataclass(slots=True)
class _Sighting:
    """What was seen of one rule."""

    successes: set[Key] = field(default_factory=set)
    failures: set[Key] = field(default_factory=set)


def _covered(policy: LoadedPolicy, sightings: Mapping[str, _Sighting]) -> Coverage:
    gaps: list[Gap] = []
    rules = rules_of(policy)
    sides = sides_seen = reached = 0
    for rule in rules:
        conditions = conditions_of(rule)
        sides += 2 * len(conditions)
        sighting = sightings.get(rule.id)
        if sighting is None:
            gaps.append(_gap(rule, rule.line, "no case reaches this rule"))
            continue
        reached += 1
        for condition in conditions:
            holds, fails = condition.key in sighting.successes, condition.key in sighting.failures
            sides_seen += holds + fails
            missing = _missing(holds, fails)
            if missing:
                gaps.append(_gap(rule, condition.line, f"{condition.label} {condition.condition} {missing}"))
    return Coverage(policy.document.title, len(rules), reached, sides, sides_seen, tuple(gaps))


def _gap(rule: WrittenRule, line: int, words: str) -> Gap:
    return Gap(rule.source.path, line, rule.id, words)


def _missing(holds: bool, fails: bool) -> str:
    if holds:
        return "" if fails else "was never seen to fail"
    return "was never seen to hold" if fails else "was never seen to hold, nor to fail"


def _sightings(explanations: Sequence[Mapping[str, Json]]) -> dict[str, dict[str, _Sighting]]:
    """By document and rule. Documents have one title each, so that a title finds its document."""
    sightings: dict[str, dict[str, _Sighting]] = {}
    for explanation in explanations:
        for document in _objects(explanation.get("documents")):
            rules = sightings.setdefault(str(document.get("name")), {})
            for rule in _objects(document.get("rules")):
                _look(rules.setdefault(str(rule.get("id")), _Sighting()), rule)
    return sightings


def _look(sighting: _Sighting, rule: Mapping[str, Json]) -> None:
    for condition in _objects(rule.get("conditions")):
        label, word = str(condition.get("parameter")), str(condition.get("condition"))
        holds = condition.get("holds")
        if word in ("present", "type"):
            _look_at_presence(sighting, label, word, holds is True)
        elif isinstance(holds, bool):
            (sighting.successes if holds else sighting.failures).add(key_of(label, word, condition.get("limit")))


def _look_at_presence(sighting: _Sighting, label: str, condition: str, holds: bool) -> None:
    """A value that is there is told with its type, one that is not as not `present`.

    Where a value must be absent (`exists: false`), its absence is what holds.
    """
    if condition == "type":
        (sighting.successes if holds else sighting.failures).add((label, "type", b""))
        sighting.successes.add((label, "present", b""))
    else:
        sighting.failures.add((label, "present", b""))
        if holds:
            sighting.successes.add(key_of(label, "exists", False))


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    for element in value if isinstance(value, list) else ():
        if isinstance(element, Mapping):
            yield element
