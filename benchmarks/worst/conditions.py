"""The dearest values for each word of a condition, as many and as long as a call may have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.strict_json import MAX_MEMBERS, MAX_VALUES
from benchmarks.worst.cases import KIB

SIZES = (16 * KIB, 256 * KIB)
"""Bytes of a value, where there may be as many; what a query of OPA costs besides is the smaller part of these."""
NO_CONDITION = "none"
OPTIONAL = "optional"
"""A parameter that is not there, and must be looked for in every spelling."""
MEMBER = "x"
"""The parameter that conditions are about."""
_LISTED = 100
"""Entries of the lists that values are compared with."""
_MOST = MAX_VALUES - 10

Words = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Trial:
    """A condition, and a value of a size for it; an object is all parameters. `effect` is what comes of the call."""

    shape: str
    conditions: Words
    value: Callable[[int], Json]
    effect: Effect = Effect.ALLOW


def _list(element: Callable[[int], Json], most: int = _MOST) -> Callable[[int], Json]:
    def elements(size: int) -> Json:
        values: list[Json] = []
        length = 2
        while len(values) < most:
            value = element(len(values))
            length += len(orjson.dumps(value)) + 1
            if length > size:
                break
            values.append(value)
        return values

    return elements


def _about(**rule: Json) -> Words:
    return {"parameters": {MEMBER: {name.rstrip("_"): operand for name, operand in rule.items()}}}


def _each(word: str, operand: Json, good: Callable[[int], Json], bad: Callable[[int], Json]) -> tuple[Trial, ...]:
    """All elements meet it, all but the last, and of the elements of which one should, none does."""

    def ending(size: int) -> Json:
        values = _list(good, _MOST - 1)(size - 32)
        return [*values, bad(0)] if isinstance(values, list) else values

    rule: Json = {word: operand}
    return (
        Trial("all of many elements", _about(every=rule), _list(good)),
        Trial("all but the last", _about(every=rule), ending, Effect.DENY),
        Trial("none of many elements", _about(any=rule), _list(bad), Effect.DENY),
    )


def _text(letter: str, before: str = "", after: str = "") -> Callable[[int], Json]:
    return lambda size: before + letter * (size - 64 - len(before) - len(after)) + after


def _short(value: Json) -> Callable[[int], Json]:
    return lambda size: value


_NAMES: Json = [f"v{number:04}" for number in range(_LISTED)]
_HOSTS: Json = [f"*.h{number}.example" for number in range(_LISTED)]
_RANGES: Json = [f"10.{number}.0.0/16" for number in range(_LISTED)]
_WINDOWS: Json = [
    {"zone": "Europe/Berlin", "hours": f"{number:02}:30-{number:02}:45", "holidays": ["2027-01-01", "2027-12-24"]}
    for number in range(20)
]
_PATTERN = "([a-z]{1,20}[0-9]?){1,40}x{0,20}"
_LONG = "a long text"
_OBJECTS: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"enum": ["x", "z"]}},
        "required": ["a"],
    },
}
_CHOICES: Json = {"type": "array", "items": {"anyOf": [{"const": number} for number in range(20)]}}


def _members(size: int) -> Json:
    return {f"m{number:x}": 1 for number in range(min(size // 10, MAX_MEMBERS - 9))}


def _listed_name(number: int) -> Json:
    return f"v{number % _LISTED:04}"


def _other_name(number: int) -> Json:
    return f"w{number:x}"


def _row(number: int) -> Json:
    return {"a": number}


def _number(number: int) -> Json:
    return number


def _below(number: int) -> Json:
    return -1 - number


TRIALS: Mapping[str, tuple[Trial, ...]] = {
    "type": _each("type", "integer", _number, _other_name),
    "equals": _each("equals", 1, _short(1), _below),
    "not": _each("not", -1, _number, _short(-1)),
    "in": _each("in", _NAMES, _listed_name, _other_name),
    "not_in": _each("not_in", _NAMES, _other_name, _listed_name),
    "min": _each("min", 0, _number, _below),
    "max": _each("max", 10**6, _number, lambda number: 10**6 + 1 + number),
    "over": _each("over", -1, _number, _below),
    "under": _each("under", 10**6, _number, lambda number: 10**6 + 1 + number),
    "matches": (
        Trial(_LONG, _about(matches=_PATTERN), _text("a"), Effect.DENY),
        *_each("matches", "[a-z]{1,9}[0-9a-f]*", _other_name, lambda number: f"{number:x}W"),
    ),
    "starts_with": (
        Trial(_LONG, _about(starts_with="a"), _text("a")),
        *_each("starts_with", "w", _other_name, _listed_name),
    ),
    "ends_with": (
        Trial(_LONG, _about(ends_with="a"), _text("a")),
        *_each("ends_with", "w", lambda number: f"{number:x}w", _other_name),
    ),
    "length": (
        Trial(_LONG, _about(length={"max": 10**6}), _text("\u4e00")),
        *_each("length", {"max": 9}, _other_name, lambda number: f"{number:010}"),
    ),
    "host_in": _each("host_in", _HOSTS, lambda number: f"{number:x}.h99.example", lambda number: f"{number:x}.h"),
    "url_host_in": (
        Trial(_LONG, _about(url_host_in=_HOSTS), _text("a", "http://a.h99.example/")),
        *_each(
            "url_host_in",
            _HOSTS,
            lambda number: f"ws://{number:x}.h99.example",
            lambda number: f"ws://{number:x}.h",
        ),
    ),
    "email_domain_in": (
        Trial(_LONG, _about(email_domain_in=_HOSTS), _text("a", "", "@a.h99.example")),
        *_each("email_domain_in", _HOSTS, lambda number: f"{number:x}@a.h99.example", lambda n: f"{n:x}@h"),
    ),
    "in_ranges": _each(
        "in_ranges", _RANGES, lambda n: f"10.99.{n >> 8}.{n & 255}", lambda n: f"11.1.{n >> 8}.{n & 255}"
    ),
    "not_in_ranges": _each("not_in_ranges", _RANGES, lambda n: f"1::{n:x}", lambda n: f"10.99.{n >> 8}.{n & 255}"),
    "count": (Trial("many elements", _about(count={"max": MAX_VALUES}), _list(_number)),),
    "every": (
        Trial(
            "what stands in many objects", _about(every={"at": "/a", "max": 10**6}), _list(lambda n: {"a": n}, 9_000)
        ),
        Trial("four words", _about(every={"min": 0, "max": 10**6, "not": 10**6, "over": -1}), _list(_number)),
    ),
    "any": (
        Trial(
            "what stands in many objects",
            _about(any={"at": "/a", "max": -1}),
            _list(_row, 9_000),
            Effect.DENY,
        ),
    ),
    "schema": (
        Trial("many objects", _about(schema=_OBJECTS), _list(lambda number: {"a": number, "b": "x"}, 4_000)),
        Trial("unlike elements", _about(schema={"type": "array", "uniqueItems": True}), _list(_number)),
        Trial("twenty choices for each element", _about(schema=_CHOICES), _list(_short(19))),
    ),
    "exists": (Trial(_LONG, _about(exists=True), _text("a")),),
    "approval_needed_over": (Trial("a number", _about(approval_needed_over=5), _short(6), Effect.APPROVAL_NEEDED),),
    "approval_needed_in": (Trial(_LONG, _about(approval_needed_in=_NAMES), _text("a")),),
    "within": (Trial("twenty windows", {"context": {"time": {"within": _WINDOWS}}}, _short(1), Effect.DENY),),
    "not_within": (Trial("twenty windows", {"context": {"time": {"not_within": _WINDOWS}}}, _short(1)),),
}
"""By word; a test holds them to all words of the language."""
BESIDE: Mapping[str, tuple[Trial, ...]] = {
    NO_CONDITION: (
        Trial("many elements", {}, _list(_number)),
        Trial("many members", {}, _members),
    ),
    OPTIONAL: (
        Trial(
            "a member of what is not there",
            {"parameters": {"/absent/member": {"in": _NAMES, "optional": True}}},
            _members,
        ),
        Trial(
            "one among the members of another spelling",
            {"parameters": {"/absent/member": {"in": _NAMES, "optional": True}}},
            lambda size: {"Absent": _members(size)},
        ),
        Trial(
            "not there among many members",
            {"parameters": {"absent": {"in": _NAMES, "optional": True}}},
            _members,
        ),
    ),
}
"""What is no word, and costs something: taking the call in, and looking for what is not there."""
