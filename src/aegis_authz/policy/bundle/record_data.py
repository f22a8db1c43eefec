"""What records hold, as plain JSON of a bundle, and back, strictly: a scope as written to a word, with its key."""

from __future__ import annotations

from aegis_authz.core.json_value import Json
from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.encoding.narrowing import mapping, text
from aegis_authz.encoding.sealed_box import read_public_key, write_public_key

_SEALED = RecordedParameters.SEALED.value + ":"


def records_to_data(rules: RecordRules) -> dict[str, Json]:
    """The words as JSON values, by the scope of their documents: of what is sealed, with the auditor's public key."""
    words = rules.by_scope
    return {scope: _word(words[scope], rules.auditors.get(scope)) for scope in sorted(words)}


def _word(word: RecordedParameters, auditor: bytes | None) -> str:
    return word.value if auditor is None else f"{_SEALED}{write_public_key(auditor)}"


def records_from_data(data: Json) -> RecordRules:
    """Read what `records_to_data` wrote. Raises ValueError for anything else."""
    words = {scope: text(word, "records") for scope, word in mapping(data, "records").items()}
    sealed = {scope: word.removeprefix(_SEALED) for scope, word in words.items() if word.startswith(_SEALED)}
    auditors = {scope: read_public_key(key) for scope, key in sealed.items()}
    others = {scope: RecordedParameters(word) for scope, word in words.items() if scope not in sealed}
    return RecordRules.by(others | dict.fromkeys(sealed, RecordedParameters.SEALED), auditors)
