"""The narrowest conditions that the values of a parameter meet, as they were seen in recorded calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aegis_authz.core.json_value import Json


class NoHull(Exception):
    """The values are of a kind that no condition describes without letting others pass; the message says which."""


@dataclass(slots=True)
class ValueHull:
    """The values of one parameter. Numbers become a range, whole ones a range of whole numbers; texts a list of
    themselves; lists of texts, what their elements are and how many there were.
    """

    calls: int = 0
    numbers: list[int | float] = field(default_factory=list)
    texts: set[str] = field(default_factory=set)
    truths: set[bool] = field(default_factory=set)
    sizes: list[int] = field(default_factory=list)
    elements: set[str] = field(default_factory=set)

    def add(self, value: Json) -> None:
        """Take a value. Raises NoHull for null, for an object, and for a list of anything but texts."""
        if isinstance(value, bool):
            self.truths.add(value)
        elif isinstance(value, int | float):
            self.numbers.append(value)
        elif isinstance(value, str):
            self.texts.add(value)
        elif isinstance(value, list) and all(isinstance(element, str) for element in value):
            self.sizes.append(len(value))
            self.elements |= {element for element in value if isinstance(element, str)}
        else:
            raise NoHull(_KINDS.get(type(value), "something that no condition describes"))
        self.calls += 1

    def condition(self, calls: int) -> dict[str, Json]:
        """What the values meet, as a policy says it, where the parameter may be absent of some of the `calls`.

        Raises NoHull for values of several types.
        """
        kinds = [kind for kind in (self.numbers, self.texts, self.truths, self.sizes) if kind]
        if len(kinds) != 1:
            raise NoHull("values of several types")
        words = self._words()
        return words if self.calls == calls else {**words, "optional": True}

    def _words(self) -> dict[str, Json]:
        if self.numbers:
            bounds: dict[str, Json] = {"min": min(self.numbers), "max": max(self.numbers)}
            is_whole = all(isinstance(number, int) for number in self.numbers)
            return {"type": "integer", **bounds} if is_whole else bounds
        if self.texts:
            return {"in": [*sorted(self.texts)]}
        if self.truths:
            return {"in": [*sorted(self.truths)]}
        sizes: dict[str, Json] = {"min": min(self.sizes), "max": max(self.sizes)}
        if not self.elements:
            return {"count": {"max": 0}}
        return {"count": sizes, "every": {"in": [*sorted(self.elements)]}}


_KINDS: Mapping[type, str] = {dict: "an object", list: "a list of other things than texts", type(None): "null"}


def closed_schema(names: Sequence[str]) -> dict[str, Json]:
    """A JSON Schema of the parameters that lets no others pass than these."""
    properties: dict[str, Json] = {name: {} for name in sorted(names)}
    return {"type": "object", "properties": properties, "additionalProperties": False}
