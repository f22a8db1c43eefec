"""A description's own references, followed without going in circles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.pointer import split

_MOST_STEPS = 32
"""References that lead to references; no description of use goes near it."""


class ReferenceUnresolved(Exception):
    """A reference leads nowhere, into another file, or in a circle; the message says which."""


class Description:
    """An OpenAPI document whose `$ref`s are resolved where they are met (OpenAPI 3.1.1, section 4.8.23)."""

    def __init__(self, document: Mapping[str, Json]) -> None:
        self.document = document

    def applying(self, schema: Json) -> Sequence[Mapping[str, Json]]:
        """All that a schema says at once: itself, or what it refers to and what stands beside its references.

        That counts from 3.1 on (JSON Schema 2020-12, section 8.2.3.1); in 3.0 it is ignored (3.0.4, section 4.7.23).
        Raises ReferenceUnresolved.
        """
        parts: list[Mapping[str, Json]] = []
        for _ in range(_MOST_STEPS):
            if not isinstance(schema, Mapping):
                return parts
            target = schema.get("$ref")
            if not isinstance(target, str):
                return [*parts, schema]
            if len(schema) > 1 and not str(self.document.get("openapi", "")).startswith("3.0"):
                parts.append({word: value for word, value in schema.items() if word != "$ref"})
            schema = self._at(target)
        raise ReferenceUnresolved("references go in a circle")

    def resolved(self, value: Json) -> Mapping[str, Json]:
        """An object, or what it refers to; an empty one for what is no object. Raises ReferenceUnresolved."""
        for _ in range(_MOST_STEPS):
            if not isinstance(value, Mapping):
                return {}
            target = value.get("$ref")
            if not isinstance(target, str):
                return value
            value = self._at(target)
        raise ReferenceUnresolved("references go in a circle")

    def _at(self, target: str) -> Json:
        if not target.startswith("#/"):
            raise ReferenceUnresolved(f"{target[:100]!r} is in another file: bundle the description into one first")
        value: Json = self.document
        for name in split(target[1:]):
            if isinstance(value, Mapping) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name[:9]) < len(value):
                value = value[int(name)]
            else:
                raise ReferenceUnresolved(f"{target[:100]!r} leads nowhere")
        return value


def elements(value: Json) -> Sequence[Json]:
    """The elements of a list, none of what is no list."""
    return value if isinstance(value, list) else ()
