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
    for place, windows in enumerate(within):
        if all(any(_covers(wide, narrow) for wide in closed) for narrow in windows):
            return "every moment of within is one of not_within"
        for earlier in within[:place]:
            if all(_apart(left, right) for left in windows for right in earlier):
                return "no moment is in the windows of both"
    return None


def _windows(check: Check) -> list[_Window]:
    listed = check.compiled["windows"]
    return [window for window in listed if isinstance(window, Mapping)] if isinstance(listed, list) else []


def _apart(left: _Window, right: _Window) -> bool:
    if left["zone"] != right["zone"]:
        return False
    return (
        _days(left).isdisjoint(_days(right))
        or not (_minute(left, "from") < _minute(right, "to") and _minute(right, "from") < _minute(left, "to"))
        or str(left["last"]) < str(right["first"])
        or str(right["last"]) < str(left["first"])
    )


def _covers(wide: _Window, narrow: _Window) -> bool:
    return (
        wide["zone"] == narrow["zone"]
        and _days(narrow) <= _days(wide)
        and _minute(wide, "from") <= _minute(narrow, "from")
        and _minute(narrow, "to") <= _minute(wide, "to")
        and str(wide["first"]) <= str(narrow["first"])
        and str(narrow["last"]) <= str(wide["last"])
        and _texts(wide["holidays"]) <= _texts(narrow["holidays"])
    )


def _days(window: _Window) -> set[str]:
    return _texts(window["weekdays"])


def _texts(listed: Json) -> set[str]:
    return {str(value) for value in listed} if isinstance(listed, list) else set()


def _minute(window: _Window, word: str) -> int:
    value = window[word]
    return value if isinstance(value, int) else 0
