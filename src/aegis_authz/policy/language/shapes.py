"""Which members the models of documents have, level by level: what an unknown one may have been meant to be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import get_args, get_origin

from pydantic import BaseModel

from aegis_authz.policy.language.operators import BARE_FORMS, SHORT_FORMS

_SHORT_FORM = re.compile(rf"(({'|'.join(SHORT_FORMS)})_.+|{'|'.join(BARE_FORMS)})\Z")
_SHORT = "max_*"
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """What a mapping, or each mapping of a list, may hold.

    `model` says its members; None where any name may stand, each with a value of `value_shape`.
    """

    model: type[BaseModel] | None
    value_shape: Shape | None = None

    @property
    def members(self) -> Mapping[str, Shape | None]:
        """The known members, and the shape of what each holds; None where that is a plain value."""
        return {} if self.model is None else _members(self.model)

    def takes(self, key: str) -> bool:
        """Whether a member of that name belongs here."""
        if self.model is None or key in self.members:
            return True
        return self.takes_short_forms and _SHORT_FORM.match(key) is not None

    @property
    def takes_short_forms(self) -> bool:
        """Whether `max_X` and its like stand here."""
        return self.model is not None and self.model.model_config.get("extra") == "allow"

    def below(self, key: str) -> Shape | None:
        """What the member of that name holds."""
        return self.value_shape if self.model is None else self.members.get(key)

    def path_to(self, key: str) -> tuple[str, ...] | None:
        """The shortest way down to a level that has a member of that name, None when there is none."""
        ways = _ways_down(self)
        return ways.get(_SHORT if key not in ways and _SHORT_FORM.match(key) is not None else key)

    def inside(self) -> Iterator[tuple[str, Shape]]:
        """The members that hold further ones; `*` for those of any name."""
        if self.model is None:
            yield from [("*", self.value_shape)] if self.value_shape is not None else ()
        else:
            yield from ((name, shape) for name, shape in self.members.items() if shape is not None)


@cache
def _ways_down(shape: Shape) -> Mapping[str, tuple[str, ...]]:
    """The way to each member name below, the level where short forms stand under `_SHORT`."""
    ways: dict[str, tuple[str, ...]] = {}
    level: list[tuple[tuple[str, ...], Shape]] = [((), shape)]
    for _ in range(_DEEPEST):
        for path, node in level:
            for name in node.members:
                ways.setdefault(name, path)
            if node.takes_short_forms:
                ways.setdefault(_SHORT, path)
        level = [((*path, name), child) for path, node in level for name, child in node.inside()]
    return ways


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of the documents a model reads."""
    return Shape(model)


@cache
def _members(model: type[BaseModel]) -> Mapping[str, Shape | None]:
    return {field.alias or name: _shape_in(field.annotation) for name, field in model.model_fields.items()}


def _shape_in(annotation: object) -> Shape | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return shape_of(annotation)
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        value_shape = _shape_in(arguments[1])
        # A mapping of whatever is one value, as a JSON Schema is.
        return None if arguments[1] is object else Shape(None, value_shape)
    for argument in arguments:
        shape = _shape_in(argument)
        if shape is not None:
            return shape
    return None
