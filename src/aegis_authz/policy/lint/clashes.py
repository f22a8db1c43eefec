"""Whether conditions on one value leave any value at all. Where that is not certain, they do.

Nothing here judges a call: only limits, lists and spans that are written out are held against each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeGuard, TypeVar

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.comparisons import Check, fits
from aegis_authz.policy.compile.conditions import ValueConditions
from aegis_authz.policy.language.operators import LOWER, OPERATORS, UPPER, Operand, words_with
from aegis_authz.policy.lint.window_spans import windows_clash
from aegis_authz.policy.source.problems import quoted

_MAPPED = ip_network("::ffff:0:0/96")
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound of a number, and whether the number may equal it."""

    value: int | float
    included: bool


def is_number(value: Json) -> TypeGuard[int | float]:
    """Whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def limits_of(checks: Iterable[Check]) -> tuple[Limit | None, Limit | None]:
    """The tightest lower and upper bound of a number that meets all these checks, None where there is none."""
    low: list[Limit] = []
    high: list[Limit] = []
    for check in checks:
        limit, word = check.limit, check.condition
        if "than" in check.compiled:
            continue
        listed = [limit] if word == "equals" else limit if word == "in" else None
        numbers = [one for one in listed if is_number(one)] if isinstance(listed, list) else []
        if numbers:
            low.append(Limit(min(numbers), True))
            high.append(Limit(max(numbers), True))
        elif is_number(limit) and word in LOWER:
            low.append(Limit(limit, OPERATORS[word].reaches))
        elif is_number(limit) and word in UPPER:
            high.append(Limit(limit, OPERATORS[word].reaches))
    return (
        max(low, key=lambda one: (one.value, not one.included), default=None),
        min(high, key=lambda one: (one.value, one.included), default=None),
    )


def passing(values: Sequence[Json], checks: Iterable[Check]) -> list[Json]:
    """Those of the values that no check is certain to refuse."""
    asked = list(checks)
    return [value for value in values if not any(_refuses(check, value) for check in asked)]


def clash(values: Sequence[ValueConditions]) -> str | None:
    """Why no call can meet all of these, None where one may. All are about the same value."""
    if all(one.optional for one in values):
        return None  # a call without the value meets them
    if any(one.forbidden and _denies(one.checks) for one in values):
        return "must be there, and must not be there"
    present = [one for one in values if not one.forbidden]
    for one, other in _pairs(sorted({value.type for value in present})):
        if not fits(one, other):
            return f"must be a {one}, and a {other}"
    checks = [check for value in present for check in value.checks if check.otherwise == "deny"]
    checks = [check for check in checks if "than" not in check.compiled]
    if len(checks) < 2:
        return None
    return _listed_clash(checks) or _number_clash(checks) or _text_clash(checks) or _other_clash(checks)


def _denies(checks: Iterable[Check]) -> bool:
    return any(check.otherwise == "deny" for check in checks)


def _listed_clash(checks: Sequence[Check]) -> str | None:
    lists = [check for check in checks if check.condition in ("equals", "in")]
    if not lists:
        return None
    values = [lists[0].limit] if lists[0].condition == "equals" else lists[0].limit
    if isinstance(values, list) and not passing(values, checks):
        shown = ", ".join(_shown(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")
        return f"must be {shown}, which other conditions refuse"
    return None


def _number_clash(checks: Sequence[Check]) -> str | None:
    low, high = limits_of(checks)
    if low is None or high is None:
        return None
    if low.value > high.value or (low.value == high.value and not (low.included and high.included)):
        least = "at least" if low.included else "more than"
        most = "at most" if high.included else "less than"
        return f"must be {least} {low.value}, and {most} {high.value}"
    return None


def _text_clash(checks: Sequence[Check]) -> str | None:
    starts = sorted({str(check.limit) for check in checks if check.condition == "starts_with"})
    ends = sorted({str(check.limit) for check in checks if check.condition == "ends_with"})
    for one, other in _pairs(starts):
        if not one.startswith(other) and not other.startswith(one):
            return f"must start with {quoted(one)}, and with {quoted(other)}"
    for one, other in _pairs(ends):
        if not one.endswith(other) and not other.endswith(one):
            return f"must end with {quoted(one)}, and with {quoted(other)}"
    for word, unit in (("length", "characters"), ("count", "elements")):
        sizes = [check.limit for check in checks if check.condition == word]
        least = max((_size(size, "min") for size in sizes), default=0)
        most = min((_size(size, "max") for size in sizes), default=least)
        if least > most:
            return f"must have at least {least:.0f} {unit}, and at most {most:.0f}"
    return None


def _other_clash(checks: Sequence[Check]) -> str | None:
    for word in words_with(Operand.HOSTS):
        lists = [check.limit for check in checks if check.condition == word]
        for one, other in _pairs(lists):
            if isinstance(one, list) and isinstance(other, list) and not _any_host(one, other):
                return f"no host is in both lists of {word}"
    ranges = [check.limit for check in checks if check.condition == "in_ranges"]
    for one, other in _pairs(ranges):
        if isinstance(one, list) and isinstance(other, list) and not _any_address(one, other):
            return "no address is in both lists of in_ranges"
    return windows_clash(checks)


def _pairs(items: Sequence[_Item]) -> list[tuple[_Item, _Item]]:
    return [(one, other) for place, one in enumerate(items) for other in items[:place]]


def _size(size: Json, word: str) -> float:
    otherwise = 0 if word == "min" else float("inf")
    given = size.get("equals", size.get(word, otherwise)) if isinstance(size, Mapping) else otherwise
    return given if is_number(given) else otherwise


def _any_host(first: Sequence[Json], second: Sequence[Json]) -> bool:
    return any(_same_hosts(str(one), str(other)) for one in first for other in second)


def _same_hosts(one: str, other: str) -> bool:
    """Whether a host, or any below `*.`, is meant by both."""
    if one.startswith("*."):
        return other.endswith(one[1:]) or (other.startswith("*.") and one.endswith(other[1:]))
    return one == other or (other.startswith("*.") and one.endswith(other[1:]))


def _any_address(first: Sequence[Json], second: Sequence[Json]) -> bool:
    networks = [ip_network(str(one)) for one in first], [ip_network(str(one)) for one in second]
    return any(_overlap(one, other) for one in networks[0] for other in networks[1])


def _overlap(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network) == isinstance(other, IPv4Network):
        return one.overlaps(other)
    wide = other if isinstance(one, IPv4Network) else one
    return wide.overlaps(_MAPPED)  # an IPv4 address may be written as an IPv6 one


def _refuses(check: Check, value: Json) -> bool:
    """Whether a check is certain not to hold for a value that is written in the document."""
    word, limit = check.condition, check.limit
    if check.otherwise != "deny" or "than" in check.compiled:
        return False
    if word == "equals":
        return not _same(value, limit)
    if word == "not":
        return _same(value, limit)
    if word in ("in", "not_in") and isinstance(limit, list):
        return any(_same(value, one) for one in limit) == (word == "not_in")
    if is_number(limit) and is_number(value):
        beyond = value < limit if word in LOWER else word in UPPER and value > limit
        return beyond or (word in (*LOWER, *UPPER) and value == limit and not OPERATORS[word].reaches)
    if isinstance(value, str) and isinstance(limit, str):
        return _refuses_text(check, value, limit)
    return False


def _refuses_text(check: Check, value: str, limit: str) -> bool:
    if check.condition == "matches":
        return re2.search(str(check.compiled["pattern"]), value) is None
    if check.condition == "starts_with":
        return not value.startswith(limit)
    return check.condition == "ends_with" and not value.endswith(limit)


def _same(one: Json, other: Json) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _shown(value: Json) -> str:
    return quoted(value) if isinstance(value, str) else str(value).lower()
