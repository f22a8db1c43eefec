"""What judges, in digests: of the documents of each scope, and of each tool's definition.

An approval is bound to them and not to the revision, so that it outlives a publication that changes nothing of what
judged its call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from aegis_authz.core.json_value import Json
from aegis_authz.policy.bundle.canonical_json import canonical

_DIGITS = 32
_MODES = ("enforce", "shadow")


def bases_data(policies: Mapping[str, Json], catalogue: Sequence[Json]) -> Json:
    """The digests of compiled documents and of tools, as data of a bundle (`core.basis.Bases` reads as much of them).

    `policies` is what Rego looks up; what was worked out from several documents is no part of any of them.
    """
    scopes = policies["scopes"]
    if not isinstance(scopes, Mapping):
        raise TypeError("no documents by scope")
    return {
        "documents": {scope: _digest(judging) for scope, judging in _judging(scopes) if any(judging)},
        "tools": {str(_member(tool, "name")): _digest(tool) for tool in catalogue},
    }


def _judging(scopes: Mapping[str, Json]) -> Iterator[tuple[str, list[Json]]]:
    """By scope and mode the documents that judge. A waiver makes no verdict: it voids no approval of what it waives."""
    for scope, modes in scopes.items():
        yield scope, [[entry for entry in _documents(modes, mode) if not _waives(entry)] for mode in _MODES]


def _documents(modes: Json, mode: str) -> list[Json]:
    documents = _member(modes, mode)
    if not isinstance(documents, list):
        raise TypeError("not a list")
    return documents


def _waives(document: Json) -> bool:
    return isinstance(document, Mapping) and "waivers" in document


def _digest(value: Json) -> str:
    return hashlib.sha256(canonical(value)).hexdigest()[:_DIGITS]


def _member(value: Json, name: str) -> Json:
    if not isinstance(value, Mapping):
        raise TypeError("not an object")
    return value[name]
