"""JSON read so strictly that a tool behind us cannot read it differently (RFC 8259, RFC 7493)."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from operator import eq
from typing import NoReturn, cast

import orjson

from aegis_authz.core.fault import quoted
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.folding import twin
from aegis_authz.encoding.json_faults import (
    double_member,
    double_member_in,
    first_double,
    malformed,
    not_json,
    not_utf8,
)
from aegis_authz.encoding.json_outline import Outline

MAX_DEPTH = 64
MAX_VALUES = 25_000
"""Values in one text, an empty array or object counting as two: every stage looks at each of them."""
MAX_MEMBERS = 10_000
"""Members of all objects of a text: each costs the policy engine ten microseconds."""
MAX_WEIGHED = 10_000
"""Numbers in one text whose digits must be weighed one by one."""
_PROTOTYPE, _CONSTRUCTOR = "__proto__", "constructor"
_SMALL = 1024
"""Bytes up to which Python's own reader costs less than looking at a text as a whole first."""
_UNUSUAL = object()
_NESTS = frozenset((dict, list))
_INTEGERS = range(-(2**63), 2**64)
_LONGEST_INTEGER = 20  # characters of either end of it


def parse(data: bytes) -> Json:
    """Parse one JSON text.

    Takes UTF-8 bytes and returns the value; every float in it is finite and equals its text
    exactly as a double, every integer fits 64 bits. Raises Refused(DUPLICATE_KEY) when an object
    names a member twice, also when the names differ only in case (Go's decoder takes either), and
    Refused(MALFORMED_CALL) for everything else that two readers could take differently, and for more than
    `MAX_VALUES` values, `MAX_MEMBERS` members or `MAX_WEIGHED` unusual numbers.
    """
    return _small(data) if len(data) <= _SMALL else _large(data)


def _small(data: bytes) -> Json:
    value = _canonical(data)
    return _weighed(data) if value is _UNUSUAL else cast(Json, value)


def _canonical(data: bytes) -> object:
    """The value of a text that is written as a machine writes it back to the letter, `_UNUSUAL` for all others.

    Such a text has no member twice, no number that a double or 64 bits do not hold exactly, no half of a surrogate
    pair: C finds that out five times as fast as hooks for each member and number do. Faults are for `_weighed` to tell.
    """
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH or b'": ' in data:
        return _UNUSUAL
    try:
        value = orjson.loads(data)
        return value if orjson.dumps(value) == data and not _may_have_twins(value) else _UNUSUAL
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return _UNUSUAL


def parse_canonical(texts: Sequence[bytes]) -> list[Json] | None:
    """The values of short texts that are all written as a machine writes them back to the letter; None for others.

    `parse` of each comes to the same. Together they cost half, and what is wrong with a text is for `parse` to tell.
    """
    if max(map(len, texts), default=0) > _SMALL:
        return None
    whole = b"[" + b",".join(texts) + b"]"
    nests = (text.count(b"[") + text.count(b"{") for text in texts)
    if whole.count(b"[") + whole.count(b"{") > MAX_DEPTH and max(nests) > MAX_DEPTH:
        return None
    try:
        values = orjson.loads(whole)
        # a text that is the JSON of a value is no part of another text, whatever stands beside it
        if len(values) != len(texts) or not all(map(eq, map(orjson.dumps, values), texts)):
            return None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None
    return None if _may_have_twins(values) else values


def _may_have_twins(value: Json) -> bool:
    if isinstance(value, dict):
        names = "".join(value)
        if not names.isascii() or not names.isprintable() or " " in names:
            return True
        if _PROTOTYPE in names or _CONSTRUCTOR in names:
            return True
        if names != names.lower() and len({name.lower() for name in value}) != len(value):
            return True
        members: Iterable[Json] = value.values()
    else:
        members = value if isinstance(value, list) else ()
    for member in members:  # noqa: SIM110  # a generator for each object takes as long as all else
        if type(member) in _NESTS and _may_have_twins(member):
            return True
    return False


def _weighed(data: bytes) -> Json:
    try:
        text = data.decode("utf-8", "strict")
        _refuse_surrogates(text)
        value = cast(Json, _DECODER.decode(text))
    except UnicodeDecodeError as fault:
        raise not_utf8(data, fault) from None
    except json.JSONDecodeError as fault:
        raise not_json(data, fault) from None
    except RecursionError:
        raise malformed("nested too deeply") from None
    except ValueError:  # an integer beyond Python's own limit of digits
        raise malformed("a number has too many digits") from None
    _refuse_depth(data, value)
    return value


def parse_object(data: bytes) -> dict[str, Json]:
    """`parse`, for a text that must be an object. Raises Refused(MALFORMED_CALL) for another type."""
    value = parse(data)
    if not isinstance(value, dict):
        raise malformed("the JSON text is not an object")
    return value


def is_too_dense(value: Json) -> bool:
    """Whether a value that was made of something else has more values or members than `parse` lets a text have."""
    outline = Outline(orjson.dumps(value))
    return outline.values > MAX_VALUES or outline.members > MAX_MEMBERS


def _large(data: bytes) -> Json:
    """The same by passes over the whole text, each of which C makes: hooks cost 250 ms for a MiB of small values."""
    outline = Outline(data)
    if outline.values > MAX_VALUES:
        raise malformed(f"more than {MAX_VALUES} values")
    if outline.members > MAX_MEMBERS:
        raise malformed(f"more than {MAX_MEMBERS} members")
    if outline.depth > MAX_DEPTH:
        raise malformed(f"nested more than {MAX_DEPTH} levels deep")
    try:
        value = cast(Json, orjson.loads(data))
    except orjson.JSONDecodeError as fault:
        raise not_json(data, fault) from None
    if outline.members:
        _refuse_double_members(data, value, outline.members)
    if outline.has_unusual_numbers:
        _refuse_inexact(outline.numbers())
    return value


def _refuse_twins(value: Json, data: bytes) -> None:
    level: list[Json] = [value]
    while level:
        for node in level:
            if isinstance(node, dict) and _has_twins(node):
                raise double_member_in(data)
        level = [member for node in level for member in _members(node) if isinstance(member, dict | list)]


def _has_twins(value: Mapping[str, Json]) -> bool:
    """Whether two of the members are one to some reader.

    Raises Refused(MALFORMED_CALL) for members that JavaScript takes for those of a prototype.
    """
    names = "".join(value)
    if _PROTOTYPE in names or _CONSTRUCTOR in names:
        _refuse_prototype(value)
    if len(value) < 2:
        return False
    # usual names may differ in case alone, which costs little to look at; every other likeness costs more
    usual = names.isascii() and names.isprintable() and " " not in names
    return len({name.casefold() if usual else twin(name) for name in value}) != len(value)


def _refuse_prototype(value: Mapping[str, Json]) -> None:
    constructor = value.get(_CONSTRUCTOR)
    if _PROTOTYPE in value or (isinstance(constructor, dict) and "prototype" in constructor):
        # merged into another object, its members become those of every object that lacks them
        problem = (
            f"An object has the member {_PROTOTYPE} or {_CONSTRUCTOR}.prototype, which JavaScript reads otherwise."
        )
        raise malformed("a member is taken for a prototype by readers in JavaScript", problem)


def _refuse_double_members(data: bytes, value: Json, members: int) -> None:
    """orjson keeps the last of two members of a name: then fewer come out than went in."""
    text = orjson.dumps(value)
    if Outline(text).members != members:
        raise double_member_in(data)
    _refuse_twins(value, data)


def _refuse_inexact(numbers: list[str]) -> None:
    integers = [number for number in numbers if number.lstrip("-").isdecimal()]
    if max(map(len, integers), default=0) > _LONGEST_INTEGER:
        raise malformed("an integer does not fit 64 bits")
    for most in (max(map(int, integers), default=0), min(map(int, integers), default=0)):
        _integer(str(most))
    floats = [number for number in numbers if not number.lstrip("-").isdecimal()]
    # what a double is written as by Python, JavaScript or Go is that double; other forms are weighed
    weighed = [text for text, usual in zip(floats, map(repr, map(float, floats)), strict=True) if text != usual]
    if len(weighed) > MAX_WEIGHED:
        raise malformed(f"more than {MAX_WEIGHED} numbers in an unusual form")
    for text in weighed:
        _float(text)


def _object(members: list[tuple[str, Json]]) -> dict[str, Json]:
    value = dict(members)
    if len(value) != len(members) or _has_twins(value):
        raise double_member(first_double([name for name, _ in members]))
    return value


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise malformed("a number is out of range", f"The number {quoted(text)} is beyond what a double holds.")
    if not _is_exact(text, number):
        raise malformed(
            "a number has more digits than a double holds",
            f"The number {quoted(text)} has more digits than a double holds: readers would round it in unlike ways.",
        )
    return number


def _is_exact(text: str, number: float) -> bool:
    # 17 significant digits name a double; more could be read differently by a decimal reader. So could what is too
    # near to nothing: 1e-400 is 0 as a double.
    digits = text.lstrip("-").lower().split("e")[0].replace(".", "").strip("0")
    if len(digits) <= 15 and (not digits or abs(number) >= sys.float_info.min):
        return True
    written = repr(number)
    if written == text:  # what a double is written as is that double, and told so in a third of the time
        return True
    try:
        return Decimal(text) == Decimal(written)
    except InvalidOperation:  # an exponent beyond what a Decimal holds
        return False


def _integer(text: str) -> int:
    number = int(text)
    if number not in _INTEGERS:
        raise malformed("an integer does not fit 64 bits", f"The integer {quoted(text)} does not fit 64 bits.")
    return number


def _constant(name: str) -> NoReturn:
    raise malformed(f"{name} is not JSON")


def _refuse_surrogates(text: str) -> None:
    if "\\ud" in text or "\\uD" in text:
        try:
            json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise malformed("a string holds half a surrogate pair") from None


def _refuse_depth(data: bytes, value: Json) -> None:
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [member for item in level for member in _members(item) if isinstance(member, dict | list)]
        if not level:
            return
    raise malformed(f"nested more than {MAX_DEPTH} levels deep")


def _members(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_float, parse_int=_integer, parse_constant=_constant, strict=True
)
