"""From a source document to a pydantic model, every error in plain words and with its place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from aegis_authz.core.json_value import Json
from aegis_authz.policy.language.indentation import lost_indentation
from aegis_authz.policy.language.reserved import elsewhere, reserved
from aegis_authz.policy.language.shapes import Shape, shape_of
from aegis_authz.policy.source.places import Area
from aegis_authz.policy.source.problems import MOST_IN_A_FILE, Problem, described, did_you_mean, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument

_WORDS = {
    "missing": "is required",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
}
_NEAR = 0.85
_NO_PLACES = ("[key]", "[set]", "[own]")
"""Parts of a location by which pydantic says how it read a value."""

_MOST = MOST_IN_A_FILE + 1


class Part(BaseModel):
    """A part of a document: immutable, exact types, no unknown members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=BaseModel)


def validated(
    model: type[Model], source: SourceDocument, complaints: Sequence[Problem] = ()
) -> tuple[Model | None, list[Problem]]:
    """Read a document as `model`. Returns it, or None where it has not that shape, and all problems known of it.

    `complaints` are problems somebody has found in it already; those of reading it are `source.problems`. A document
    whose indentation was lost has this one problem: what it says otherwise was never meant.
    """
    instance, errors = _read(model, source)
    if errors or complaints or source.problems or source.blank:
        lost = lost_indentation(model, source)
        if lost is not None:
            return None, [lost]
    if source.broken:
        return None, list(source.problems)
    unknown = [at for at, error in errors if error["type"] == "extra_forbidden"]
    settled = Area((*unknown, *source.doubtful))
    problems = [_unknown(model, source, at) for at in unknown if at not in source.doubtful]
    blank = [at for at in source.blank if not settled.holds(at)][:_MOST]
    problems += [source.problem(at, "must not be empty") for at in blank]
    settled = Area((*unknown, *source.doubtful, *blank))
    problems += [source.problem(at, _message(error)) for at, error in errors if not settled.touches(at)]
    covered = {complaint.field for complaint in complaints}
    problems = [problem for problem in problems if not covered.intersection(_fields_around(problem.field))]
    whole = None if source.doubtful or source.blank or complaints else instance
    return whole, [*source.problems, *complaints, *problems]


def unknown_key(key: str, names: Collection[str]) -> str:
    """What to say of a member that does not exist."""
    kept_back = reserved(key)
    if kept_back is not None:
        return f"{quoted(key)} {kept_back}"
    place = None if difflib.get_close_matches(key[:80], names, n=1, cutoff=_NEAR) else elsewhere(key)
    return f"unknown key {quoted(key)}{did_you_mean(key, names)}" if place is None else f"{quoted(key)} {place}"


def _read(model: type[Model], source: SourceDocument) -> tuple[Model | None, list[tuple[Location, ErrorDetails]]]:
    if source.broken or source.value is None:
        return None, []
    try:
        return model.model_validate(source.value), []
    except ValidationError as fault:
        return None, [
            (_as_written(source.value, tuple(part for part in error["loc"] if part not in _NO_PLACES)), error)
            for error in islice(fault.errors(include_url=False), _MOST)
        ]


def _unknown(model: type[BaseModel], source: SourceDocument, at: Location) -> Problem:
    shape: Shape | None = shape_of(model)
    for part in at[:-1]:
        shape = shape.below(part) if shape is not None and isinstance(part, str) else shape
    return source.problem(at, unknown_key(str(at[-1]), shape.members if shape is not None else ()), on_key=True)


def _message(error: ErrorDetails) -> str:
    """What was expected and, unless something is missing, what was found."""
    kind, value = error["type"], described(error["input"])
    if kind in _WORDS:
        message = _WORDS[kind].format(**error.get("ctx", {}))
    elif kind == "literal_error":
        expected = error["ctx"]["expected"]
        near = did_you_mean(str(error["input"]), re.findall(r"'([^']+)'", expected))
        return f"must be {expected}, not {value}" + (near if "did you mean" in near else "")
    elif kind == "value_error":
        message = str(error["ctx"]["error"])
    else:
        message = error["msg"][:1].lower() + error["msg"][1:]
    if not message.startswith("must be "):
        return message
    expected, separator, advice = message.partition("; ")
    return f"{expected}, not {value}{separator}{advice}"


def _fields_around(name: str) -> Iterator[str]:
    """The field and all that it is a part of."""
    yield name
    for end in re.finditer(r"[.\[]", name):
        yield name[: end.start()]


def _as_written(value: Json, location: Location) -> Location:
    """The location without the positions of lists that were only read as such:
    one value may stand for a list of one.
    """
    parts: list[str | int] = []
    for part in location:
        if isinstance(part, int) and not isinstance(value, list):
            continue
        if isinstance(part, str) and not isinstance(value, dict):
            break  # a part of what a short way of writing stands for
        parts.append(part)
        if isinstance(value, dict):
            value = value.get(str(part))
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
    return tuple(parts)
