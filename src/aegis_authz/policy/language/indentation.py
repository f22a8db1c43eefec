"""Documents whose indentation was lost on the way: still YAML, but with another meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from aegis_authz.core.json_value import Json
from aegis_authz.policy.language.reserved import elsewhere, reserved
from aegis_authz.policy.language.shapes import Shape, shape_of
from aegis_authz.policy.source.problems import Problem, quoted
from aegis_authz.policy.source.reader import Location, SourceDocument


def lost_indentation(model: type[BaseModel], source: SourceDocument) -> Problem | None:
    """The first member of a document that stands further out than it belongs, None when there is none.

    Such a member is unknown where it stands, and would be known inside a member written before it at the same level.
    """
    for location, path in _misplaced(source, source.value, (), shape_of(model)):
        beside = "at the top level" if len(location) == 1 else f"beside {quoted(path[0])}"
        inside = "it" if len(path) == 1 and len(location) > 1 else _described(path)
        message = (
            f"the indentation is lost: {quoted(str(location[-1]))} stands {beside} and belongs inside {inside}; "
            "put spaces before it and before what belongs to it"
        )
        return source.problem(location, message, on_key=True)
    return None


def _misplaced(
    source: SourceDocument, value: Json, location: Location, shape: Shape | None
) -> Iterator[tuple[Location, tuple[str, ...]]]:
    if shape is None:
        return
    if isinstance(value, list):
        for position, element in enumerate(value):
            yield from _misplaced(source, element, (*location, position), shape)
    elif isinstance(value, Mapping):
        before: str | None = None
        holders: list[str] = []  # the members before that hold members themselves
        in_block = value and _in_block(source, location, next(iter(value)))
        for key, member in value.items():
            below = shape.below(key)
            path = _meant_inside(value, before, holders, key, shape) if in_block and before is not None else None
            if path is not None:
                yield (*location, key), path
            yield from _misplaced(source, member, (*location, key), below)
            before = key
            if below is not None and shape.model is not None:
                holders.append(key)


def _meant_inside(
    value: Mapping[str, Json], before: str, holders: list[str], key: str, shape: Shape
) -> tuple[str, ...] | None:
    """The way to where `key` belongs, from a member written before it, if it is unknown here and known there."""
    if shape.model is None:
        # Any name is right here: only one that follows an empty member, and is a word inside that, is suspicious.
        element = shape.value_shape
        return (before,) if value[before] is None and element is not None and key in element.members else None
    if shape.takes(key) or reserved(key) is not None:
        return None
    for name in reversed(holders):
        below = shape.below(name)
        if below is None:
            continue
        if below.model is None and value[name] is None and name == before:
            return (name,)
        path = below.path_to(key)
        if path is not None and (elsewhere(key) is None or value[name] is None):
            return name, *path
    return None


def _described(path: tuple[str, ...]) -> str:
    names = [quoted(name) for name in reversed(path) if name != "*"]
    if names[-1] in ("'allowed_tools'", "'denied_tools'"):
        names[-1] = f"a rule of {names[-1]}"
    return " of ".join(names)


def _in_block(source: SourceDocument, location: Location, first: str) -> bool:
    """Whether a mapping is written by indentation: it begins where its first key does, and not with a brace."""
    return source.at.get(location) == source.keys.get((*location, first))
