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
        numbers = [number for number in listed if is_number(number)] if isinstance(listed, list) else []
        if numbers:
            low.append(Limit(min(numbers), True))
            high.append(Limit(max(numbers), True))
        elif is_number(limit) and word in LOWER:
            low.append(Limit(limit, OPERATORS[word].reaches))
        elif is_number(limit) and word in UPPER:
            high.append(Limit(limit, OPERATORS[word].reaches))
    return (
        max(low, key=lambda bound: (bound.value, not bound.included), default=None),
        min(high, key=lambda bound: (bound.value, bound.included), default=None),
    )


def passing(values: Sequence[Json], checks: Iterable[Check]) -> list[Json]:
    """Those of the values that no check is certain to refuse."""
    all_checks = list(checks)
    return [value for value in values if not any(_refuses(check, value) for check in all_checks)]


def clash(values: Sequence[ValueConditions]) -> str | None:
    """Why no call can meet all of these, None where one may. All are about the same value."""
    if all(value.optional for value in values):
        return None  # a call without the value meets them
    if any(value.forbidden and _denies(value.checks) for value in values):
        return "must be there, and must not be there"
    present = [value for value in values if not value.forbidden]
    for left, right in _pairs(sorted({value.type for value in present})):
        if not fits(left, right):
            return f"must be a {left}, and a {right}"
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
        sample = ", ".join(_literal(value) for value in values[:3]) + (", ..." if len(values) > 3 else "")
        return f"must be {sample}, which other conditions refuse"
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
    for left, right in _pairs(starts):
        if not left.startswith(right) and not right.startswith(left):
            return f"must start with {quoted(left)}, and with {quoted(right)}"
    for left, right in _pairs(ends):
        if not left.endswith(right) and not right.endswith(left):
            return f"must end with {quoted(left)}, and with {quoted(right)}"
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
        for left, right in _pairs(lists):
            if isinstance(left, list) and isinstance(right, list) and not _any_host(left, right):
                return f"no host is in both lists of {word}"
    ranges = [check.limit for check in checks if check.condition == "in_ranges"]
    for left, right in _pairs(ranges):
        if isinstance(left, list) and isinstance(right, list) and not _any_address(left, right):
            return "no address is in both lists of in_ranges"
    return windows_clash(checks)


def _pairs(items: Sequence[_Item]) -> list[tuple[_Item, _Item]]:
    return [(left, right) for place, left in enumerate(items) for right in items[:place]]


def _size(size: Json, word: str) -> float:
    otherwise = 0 if word == "min" else float("inf")
    bound = size.get("equals", size.get(word, otherwise)) if isinstance(size, Mapping) else otherwise
    return bound if is_number(bound) else otherwise


def _any_host(first: Sequence[Json], second: Sequence[Json]) -> bool:
    return any(_same_hosts(str(left), str(right)) for left in first for right in second)


def _same_hosts(left: str, right: str) -> bool:
    """Whether a host, or any below `*.`, is meant by both."""
    if left.startswith("*."):
        return right.endswith(left[1:]) or (right.startswith("*.") and left.endswith(right[1:]))
    return left == right or (right.startswith("*.") and left.endswith(right[1:]))


def _any_address(first: Sequence[Json], second: Sequence[Json]) -> bool:
    networks = [ip_network(str(address)) for address in first], [ip_network(str(address)) for address in second]
    return any(_overlap(left, right) for left in networks[0] for right in networks[1])


def _overlap(left: IPv4Network | IPv6Network, right: IPv4Network | IPv6Network) -> bool:
    if isinstance(left, IPv4Network) == isinstance(right, IPv4Network):
        return left.overlaps(right)
    wide = right if isinstance(left, IPv4Network) else left
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
        return any(_same(value, element) for element in limit) == (word == "not_in")
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


def _same(left: Json, right: Json) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _literal(value: Json) -> str:
    return quoted(value) if isinstance(value, str) else str(value).lower()
