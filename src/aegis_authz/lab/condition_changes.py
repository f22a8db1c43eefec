"""Every small mistake one could make in the conditions of a rule, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from aegis_authz.core.json_value import Json
from aegis_authz.lab.edits import Edit, elements, members, moved, removed, replaced, unasked, without_each, words_of
from aegis_authz.policy.compile.conditions import short_form
from aegis_authz.policy.language.circumstances import CONTEXT_WORDS
from aegis_authz.policy.language.operators import LOWER, OPERATORS, UPPER, Direction, Operand, words_with
from aegis_authz.policy.source.places import inside
from aegis_authz.policy.source.reader import Location

_OPPOSITES = {word: operator.opposite for word, operator in OPERATORS.items() if operator.opposite}
_ASKING = [word for word, operator in OPERATORS.items() if operator.asks_approval]
_LISTS = words_with(Operand.SCALARS, Operand.HOSTS, Operand.RANGES)
_SIZES = words_with(Operand.SIZE)
_ELEMENTS = words_with(Operand.ELEMENTS)
_PRESENCE = words_with(Operand.PRESENCE)
_SCHEMAS = words_with(Operand.SCHEMA)
_NO_COMPARISONS = ("else", "optional", "at")
# `optional` means nothing for these
_CERTAIN = [word for word, circumstance in CONTEXT_WORDS.items() if circumstance.is_certain]
_SCHEMA_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_SCHEMA_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_SCHEMA_NOTES = ("$schema", "$comment", "$defs", "title", "description", "examples", "default")
_SCHEMA_INNER = ("items", "contains", "additionalProperties", "propertyNames")
_SCHEMA_NAMED = ("properties", "$defs")
_SCHEMA_LISTED = ("allOf", "anyOf", "oneOf")
_MINUTES = 24 * 60


def condition_changes(root: Json, at: Location, denying: bool) -> Iterator[Edit]:
    """The changes of the conditions at a location. Bounds move so that the rule lets more through."""
    for key in members(root, at):
        split = short_form(key)
        if split is not None:
            yield from _short_form_changes(root, at, key, split, denying)
    for name, value in members(root, (*at, "parameters")).items():
        where = (*at, "parameters", name)
        if isinstance(value, list):
            for place, _ in elements(root, where):
                yield from _value_changes(root, place, place if len(value) > 1 else where, denying)
        else:
            yield from _value_changes(root, where, where, denying)
    for name in members(root, (*at, "context")):
        where = (*at, "context", name)
        if name == "time":
            yield from _time_changes(root, where, denying)
        else:
            yield from _value_changes(root, where, where, denying, has_absence=name not in _CERTAIN)
    if "schema" in members(root, at):
        yield Edit((*at, "schema"), "schema is removed", unasked(root, (*at, "schema")))
        yield from _schema_changes(root, (*at, "schema"), denying)


def _short_form_changes(root: Json, at: Location, key: str, split: tuple[str, str], denying: bool) -> Iterator[Edit]:
    where, (word, name) = (*at, key), split
    limit = inside(root, where)
    yield Edit(where, f"{key} {words_of(limit)} is removed", unasked(root, where))
    yield from moved(root, where, key, _is_raised(word, denying))
    if word not in _OPPOSITES:
        return
    opposite = {_OPPOSITES[word]: limit}
    value = inside(root, (*at, "parameters", name))
    rules = value if isinstance(value, list) else [] if value is None else [value]
    negated = replaced(removed(root, where), (*at, "parameters", name), [*rules, opposite])
    yield Edit(where, f"{key} {words_of(limit)} is turned into {_OPPOSITES[word]}", negated)


def _value_changes(
    root: Json, at: Location, whole: Location, denying: bool, has_absence: bool = True
) -> Iterator[Edit]:
    """The changes of what is asked of one value; `whole` is what goes when nothing is asked any more."""
    yield from _comparison_changes(root, at, whole, denying)
    conditions = members(root, at)
    words = [word for word in conditions if word not in _NO_COMPARISONS]
    if not denying and any(word not in _ASKING for word in words):
        flipped = "deny" if conditions.get("else") == "approval_needed" else "approval_needed"
        place = (*at, "else") if "else" in conditions else at
        yield Edit(place, f"else is {flipped}", replaced(root, (*at, "else"), flipped))
    if has_absence and conditions.keys().isdisjoint(_PRESENCE):
        if conditions.get("optional") is True:
            yield Edit((*at, "optional"), "optional is removed", removed(root, (*at, "optional")))
        else:
            yield Edit(at, "optional: true is added", replaced(root, (*at, "optional"), True))


def _comparison_changes(root: Json, at: Location, whole: Location, denying: bool) -> Iterator[Edit]:
    conditions = members(root, at)
    words = [word for word in conditions if word not in _NO_COMPARISONS]
    for word in words:
        where = (*at, word)
        value = conditions[word]
        removal = where if len(words) > 1 else whole
        yield Edit(where, f"{word} {words_of(value)} is removed", unasked(root, removal))
        if word in _OPPOSITES and _OPPOSITES[word] not in conditions:
            negated = replaced(removed(root, where), (*at, _OPPOSITES[word]), value)
            yield Edit(where, f"{word} {words_of(value)} is turned into {_OPPOSITES[word]}", negated)
        if word in _PRESENCE:
            yield Edit(where, f"{word} is {words_of(value is not True)}", replaced(root, where, value is not True))
        if word in UPPER or word in LOWER:
            yield from moved(root, where, word, _is_raised(word, denying))
        if word in _LISTS:
            yield from without_each(root, where, word)
        if word in _SIZES:
            yield from _size_changes(root, where, denying)
        if word in _ELEMENTS:
            yield from _comparison_changes(root, where, where, denying)
        if word in _SCHEMAS:
            yield from _schema_changes(root, where, denying)


def _size_changes(root: Json, at: Location, denying: bool) -> Iterator[Edit]:
    bounds = members(root, at)
    for word, bound in bounds.items():
        where = (*at, word)
        yield from moved(root, where, f"{at[-1]} {word}", _is_raised(word, denying))
        if len(bounds) > 1:
            yield Edit(where, f"{at[-1]} {word} {words_of(bound)} is removed", removed(root, where))


def _is_raised(word: str, denying: bool) -> bool:
    """Whether a higher bound lets more through."""
    return (word not in LOWER) is not denying


def _time_changes(root: Json, at: Location, denying: bool) -> Iterator[Edit]:
    conditions = members(root, at)
    words = [word for word in conditions if word != "else"]
    for word in words:
        where = (*at, word)
        removal = where if len(words) > 1 else at
        yield Edit(where, f"{word} is removed", unasked(root, removal))
        if _OPPOSITES[word] not in conditions:
            negated = replaced(removed(root, where), (*at, _OPPOSITES[word]), conditions[word])
            yield Edit(where, f"{word} is turned into {_OPPOSITES[word]}", negated)
        yield from without_each(root, where, "time window")
        for window, _ in elements(root, where):
            yield from _window_changes(root, window, (OPERATORS[word].direction is Direction.MEMBERSHIP) is not denying)
    if not denying:
        flipped = "deny" if conditions.get("else") == "approval_needed" else "approval_needed"
        place = (*at, "else") if "else" in conditions else at
        yield Edit(place, f"else is {flipped}", replaced(root, (*at, "else"), flipped))


def _window_changes(root: Json, at: Location, widens: bool) -> Iterator[Edit]:
    window = members(root, at)
    yield from without_each(root, (*at, "weekdays"), "weekday")
    for word in ("weekdays", "hours", "from", "until", "holidays"):
        if word in window and len(window) > 1:
            yield Edit((*at, word), f"{word} {words_of(window[word])} is removed", removed(root, (*at, word)))
    yield from without_each(root, (*at, "holidays"), "holiday")
    for word, new in _moved_edges(window, 1 if widens else -1):
        yield Edit((*at, word), f"{word} {words_of(window[word])} became {new}", replaced(root, (*at, word), new))


def _moved_edges(window: Mapping[str, Json], step: int) -> Iterator[tuple[str, str]]:
    """The edges of a window, each moved by a minute or a day; out by a positive step."""
    hours, since, until = window.get("hours"), window.get("from"), window.get("until")
    if isinstance(hours, str):
        start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in hours.split("-"))
        for first, last in ((start - step, end), (start, end + step)):
            if 0 <= first < last <= _MINUTES:
                yield "hours", f"{first // 60:02}:{first % 60:02}-{last // 60:02}:{last % 60:02}"
    for word, day, days in (("from", since, -step), ("until", until, step)):
        moved = _moved_day(day, days) if isinstance(day, str) else None
        if moved is not None:
            yield word, moved


def _moved_day(day: str, days: int) -> str | None:
    try:
        return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
    except OverflowError:
        return None  # the calendar ends there


def _schema_changes(root: Json, at: Location, denying: bool) -> Iterator[Edit]:
    """Below a schema: keywords dropped, bounds moved, members of lists dropped."""
    keywords = members(root, at)
    words = [word for word in keywords if word not in _SCHEMA_NOTES]
    for word in words if len(words) > 1 else ():
        yield Edit((*at, word), f"{word} of the schema is removed", removed(root, (*at, word)))
    for word in keywords:
        where = (*at, word)
        if word in _SCHEMA_UPPER or word in _SCHEMA_LOWER:
            yield from moved(root, where, f"{word} of the schema", (word in _SCHEMA_UPPER) is not denying)
        if word in ("required", "enum", *_SCHEMA_LISTED):
            yield from without_each(root, where, f"{word} of the schema:")
        for place in _schemas_in(root, where, word):
            yield from _schema_changes(root, place, denying is not (word == "not"))


def _schemas_in(root: Json, at: Location, word: str) -> Iterator[Location]:
    """Where a keyword of a schema holds other schemas."""
    if word in _SCHEMA_INNER or word == "not":
        yield at
    elif word in _SCHEMA_NAMED:
        yield from ((*at, name) for name in members(root, at))
    elif word in _SCHEMA_LISTED:
        yield from (where for where, _ in elements(root, at))
