"""What records hold, as plain JSON of a bundle, and back, strictly: a scope as written to a word."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.encoding.narrowing import mapping, text


def records_to_data(scopes: Mapping[str, RecordedParameters]) -> dict[str, Json]:
    """The words as JSON values, by the scope of their documents."""
    return {scope: scopes[scope].value for scope in sorted(scopes)}


def records_from_data(data: Json) -> RecordRules:
    """Read what `records_to_data` wrote. Raises ValueError for anything else."""
    words = mapping(data, "records")
    return RecordRules.by({scope: RecordedParameters(text(word, "records")) for scope, word in words.items()})
