"""The checks of a plain rule as Rego walks them: the commonest by their kind, all others one by one.

Rego pays by the expression, and for each function that it calls as for several: a check that is judged where it stands
costs a third of one that a function judges. So numbers between two bounds, sizes, values of a list and patterns stand
by parameter, and what remains is a flat list that `meets` of rego/comparisons.rego judges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import itemgetter

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.json_shapes import list_of, object_of

_Check = Mapping[str, Json]
_UPPER = ("max", "approval_needed_over")


def by_kind(checks: Json) -> dict[str, Json]:
    """`between` bounds, `lengths` and `counts` by the least and the most, `among` values and `matching`
    patterns, each by parameter, and the other `checks` in order.

    All of them together hold of exactly the parameters of which `checks` hold. Raises TypeError for what is no list of
    checks.
    """
    entries = [object_of(check) for check in list_of(checks)]
    between, entries = _between(entries)
    lengths, entries = _of_condition("length", _sizes, entries)
    counts, entries = _of_condition("count", _sizes, entries)
    among, entries = _of_condition("in", itemgetter("limit"), entries)
    matching, entries = _of_condition("matches", itemgetter("pattern"), entries)
    return {
        "between": between,
        "lengths": lengths,
        "counts": counts,
        "among": among,
        "matching": matching,
        "checks": [*entries],
    }


def _between(checks: Sequence[_Check]) -> tuple[dict[str, Json], list[_Check]]:
    """The least and the most of each number that has both; several bounds on one side come to the strictest."""
    least = _strictest(checks, ("min",), max)
    most = _strictest(checks, _UPPER, min)
    between: dict[str, Json] = {name: [least[name], most[name]] for name in sorted(least.keys() & most.keys())}
    bounds = ("min", *_UPPER)
    return between, [check for check in checks if check["condition"] not in bounds or check["parameter"] not in between]


def _strictest(
    checks: Sequence[_Check], conditions: Sequence[str], of: Callable[[Iterable[Decimal]], Decimal]
) -> dict[str, int | float]:
    limits: dict[str, dict[Decimal, int | float]] = {}
    for check in checks:
        if check["condition"] in conditions:
            limit = _number(check["limit"])
            # OPA compares numbers as they are written; a float from 2**53 on need not be what it is written as
            limits.setdefault(str(check["parameter"]), {}).setdefault(Decimal(str(limit)), limit)
    return {name: values[of(values)] for name, values in limits.items()}


def _number(value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value


def _sizes(check: _Check) -> Json:
    """The least and the most of a size, None where it has no upper bound."""
    bounds = {word: _number(bound) for word, bound in object_of(check["limit"]).items()}
    most = [bounds[word] for word in ("max", "equals") if word in bounds]
    least = [bounds[word] for word in ("min", "equals") if word in bounds]
    return [max(least, default=0), min(most)] if most else None


def _of_condition(
    condition: str, of: Callable[[_Check], Json], checks: Sequence[_Check]
) -> tuple[dict[str, Json], list[_Check]]:
    """What is `of` the first check of this condition on each parameter, and all checks that have no place there."""
    found: dict[str, Json] = {}
    others: list[_Check] = []
    for check in checks:
        name = str(check["parameter"])
        operand = of(check) if check["condition"] == condition and name not in found else None
        if operand is None:
            others.append(check)
        else:
            found[name] = operand
    return found, others
