"""Calls at the boundaries of conditions: those that two generations of policy may decide differently, if any are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, combinations, islice, product

from pydantic import ValidationError

from aegis_authz.core.json_value import Json
from aegis_authz.lab.call_drafts import draft_of, rule_calls
from aegis_authz.lab.call_sources import PlacedCall
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import call_faults
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.types import ANY
from aegis_authz.policy.load import Loaded

MOST = 4_000
"""Calls that are candidates at most."""
_MOST_OF_A_CALL = 400
_MOST_VALUES = 24
_MOST_SIZE = 10_000
_OTHER = "a text of no list"
_ABSENT = object()

Values = dict[str, list[object]]
"""The values to try of each parameter; `_ABSENT` stands for leaving it out."""


def boundary_calls(former: Loaded, own: Loaded) -> list[PlacedCall]:
    """Calls of every agent, tool and action that either speaks of, with values on, beside and off each bound of either.

    One value and two at once differ from a call that meets what it can; of more than `MOST` each
    agent and action has its share.
    Whatever `own` has no tool, action or parameter for is left out. The context is that of now.
    """
    calls_of_rules = dict.fromkeys(chain(rule_calls(former), rule_calls(own)))
    share = min(_MOST_OF_A_CALL, max(1, MOST // (2 * max(1, len(calls_of_rules)))))
    calls = chain.from_iterable(_calls((former, own), share, *names) for names in calls_of_rules)
    return [PlacedCall(call, "", 0) for call in islice(_possible(calls, own), MOST)]


def _possible(calls: Iterable[dict[str, Json]], own: Loaded) -> Iterator[TriedCall]:
    texts: set[str] = set()
    for members in calls:
        text = json.dumps(members, sort_keys=True)
        if text in texts:
            continue
        texts.add(text)
        try:
            call = TriedCall.model_validate(members)
        except ValidationError:
            continue  # no call has such a value
        if next(call_faults(call, own), None) is None:
            yield call


def _calls(sides: Sequence[Loaded], share: int, agent: str, tool: str, action: str) -> Iterator[dict[str, Json]]:
    conditions = [value for side in sides for value in _conditions(side, tool, action)]
    values = _values(conditions)
    for side in sides:
        draft = draft_of(side, agent, tool, action)
        parameters = draft.get("parameters")
        base = {**(parameters if isinstance(parameters, dict) else {}), **_base_values(conditions)}
        names = {"agent": agent, "tool": tool, "action": action}
        yield from islice(({**names, "parameters": each} for each in _variants(base, values)), share)


def _variants(base: dict[str, Json], values: Values) -> Iterator[dict[str, Json]]:
    """The call itself, every other value of one parameter, and every two of two."""
    yield base
    for names in chain(combinations(values, 1), combinations(values, 2)):
        for combination in product(*(values[name] for name in names)):
            members: dict[str, object] = {**base, **dict(zip(names, combination, strict=True))}
            yield {name: value for name, value in members.items() if value is not _ABSENT}  # type: ignore[misc]  # JSON


def _conditions(loaded: Loaded, tool: str, action: str) -> Iterator[ValueConditions]:
    """What any rule asks of a parameter of the action by its name."""
    for policy in loaded.loaded_policies:
        rules = policy.compiled.rules
        for rule in chain(rules.allowing, rules.denying):
            if rule.rule.name in (tool, ANY) and not {action, ANY}.isdisjoint(rule.rule.actions):
                for value in rule.values:
                    if value.of == "parameters" and value.name and not value.name.startswith("/"):
                        yield value


def _values(conditions: Iterable[ValueConditions]) -> Values:
    values: Values = {}
    for value in conditions:
        candidates = values.setdefault(value.name, [_ABSENT])
        for check in value.checks:
            for near in _near(check.limit, value.type):
                if near not in candidates and len(candidates) < _MOST_VALUES:
                    candidates.append(near)
    return values


def _near(limit: Json, kind: str) -> Iterator[Json]:
    """What lies on a bound and on both sides of it, for a value of that JSON type."""
    if isinstance(limit, bool):
        yield from (True, False)
    elif isinstance(limit, int | float):
        if kind in ("string", "array"):
            sizes = {size for size in (int(limit) - 1, int(limit), int(limit) + 1) if 0 <= size <= _MOST_SIZE}
            yield from (("x" * size if kind == "string" else ["x"] * size) for size in sorted(sizes))
        else:
            yield from (limit - 1, limit, limit + 1)
            if kind != "integer":
                yield from (limit - 0.01, limit + 0.01)
    elif isinstance(limit, str):
        yield from (limit, _OTHER)
    elif isinstance(limit, list):
        elements = [element for element in limit if isinstance(element, str | int | float)]
        yield from elements
        numbers = [element for element in elements if not isinstance(element, str)]
        yield max(numbers) + 1 if numbers else _OTHER
        if kind == "array":
            yield from ([element] for element in elements)


def _base_values(conditions: Iterable[ValueConditions]) -> dict[str, Json]:
    """A number for each parameter with bounds that a number can meet."""
    values: dict[str, Json] = {}
    for value in conditions:
        bounds = {check.condition: check.limit for check in value.checks}
        least, most = bounds.get("min"), bounds.get("max")
        if value.type in ("number", "integer") and isinstance(least, int | float):
            values[value.name] = max(least, 1) if not isinstance(most, int | float) or most >= 1 else least
    return values
