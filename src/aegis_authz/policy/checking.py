"""From a source document to a pydantic model, every error in plain words and with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from aegis_authz.core.json_value import Json
from aegis_authz.policy.problems import Problem, did_you_mean, quoted
from aegis_authz.policy.reserved import RESERVED
from aegis_authz.policy.source import Location, SourceDocument

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
}


class Part(BaseModel):
    """A part of a document: immutable, exact types, no unknown members."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], source: SourceDocument) -> tuple[Model | None, list[Problem]]:
    """Read a document as `model`. Returns it, or None and all problems."""
    empty = [source.problem(at, "must not be empty") for at in _nulls(source.value, ())]
    if empty and source.value is None:
        return None, empty
    try:
        found = model.model_validate(source.value)
    except ValidationError as fault:
        blank = {problem.field for problem in empty}
        problems = [_problem(model, source, error) for error in fault.errors(include_url=False)]
        return None, empty + [problem for problem in problems if problem.field not in blank]
    return (None if empty else found), empty


def unknown_key(key: str, known: Iterator[str] | list[str]) -> str:
    """What to say of a member that does not exist."""
    if key in RESERVED:
        return f"{quoted(key)} {RESERVED[key]}"
    return f"unknown key {quoted(key)}{did_you_mean(key, known)}"


def _problem(model: type[BaseModel], source: SourceDocument, error: ErrorDetails) -> Problem:
    location: Location = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        known = _known_keys(model, location[:-1])
        return source.problem(location, unknown_key(str(location[-1]), known), on_key=True)
    return source.problem(location, _message(error))


def _message(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind in _WORDS:
        return _WORDS[kind]
    if kind == "literal_error":
        return f"must be {error['ctx']['expected']}"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    message: str = error["msg"]
    return message[:1].lower() + message[1:]


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    current: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, str):
            current = [
                inner
                for outer in current
                for name, field in outer.model_fields.items()
                if part == (field.alias or name)
                for inner in _models_in(field.annotation)
            ] or current
    return [field.alias or name for known in current for name, field in known.model_fields.items()]


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _nulls(value: Json, location: Location) -> Iterator[Location]:
    if value is None:
        yield location
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _nulls(inner, (*location, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _nulls(inner, (*location, position))
