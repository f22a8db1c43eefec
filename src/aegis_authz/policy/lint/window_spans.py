"""Whether time windows have a moment in common. Windows of different zones are taken to have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.comparisons import Check

_Window = Mapping[str, Json]


def windows_clash(checks: Sequence[Check]) -> str | None:
    """Why no moment meets all these `within` and `not_within`, None where one may."""
    within = [_windows(check) for check in checks if check.condition == "within"]
    closed = [window for check in checks if check.condition == "not_within" for window in _windows(check)]
    for place, one in enumerate(within):
        if all(any(_covers(outer, inner) for outer in closed) for inner in one):
            return "every moment of within is one of not_within"
        for other in within[:place]:
            if all(_apart(left, right) for left in one for right in other):
                return "no moment is in the windows of both"
    return None


def _windows(check: Check) -> list[_Window]:
    listed = check.compiled["windows"]
    return [window for window in listed if isinstance(window, Mapping)] if isinstance(listed, list) else []


def _apart(one: _Window, other: _Window) -> bool:
    if one["zone"] != other["zone"]:
        return False
    return (
        _days(one).isdisjoint(_days(other))
        or not (_minute(one, "from") < _minute(other, "to") and _minute(other, "from") < _minute(one, "to"))
        or str(one["last"]) < str(other["first"])
        or str(other["last"]) < str(one["first"])
    )


def _covers(outer: _Window, inner: _Window) -> bool:
    return (
        outer["zone"] == inner["zone"]
        and _days(inner) <= _days(outer)
        and _minute(outer, "from") <= _minute(inner, "from")
        and _minute(inner, "to") <= _minute(outer, "to")
        and str(outer["first"]) <= str(inner["first"])
        and str(inner["last"]) <= str(outer["last"])
        and _texts(outer["holidays"]) <= _texts(inner["holidays"])
    )


def _days(window: _Window) -> set[str]:
    return _texts(window["weekdays"])


def _texts(listed: Json) -> set[str]:
    return {str(one) for one in listed} if isinstance(listed, list) else set()


def _minute(window: _Window, word: str) -> int:
    value = window[word]
    return value if isinstance(value, int) else 0
