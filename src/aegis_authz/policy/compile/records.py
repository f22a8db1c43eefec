"""What records hold of calls, as documents say it."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.encoding.sealed_box import read_public_key
from aegis_authz.policy.compile.rules import CompiledDocument


def records_of(policies: Sequence[CompiledDocument]) -> RecordRules:
    """The words of all documents that have one, by scope: the strictest of one scope, shadow documents included."""
    scopes: dict[str, list[RecordedParameters]] = {}
    auditors: dict[str, set[str]] = {}
    for document in (policy.document for policy in policies):
        if document.record is not None:
            scopes.setdefault(document.scope, []).append(RecordedParameters(document.record.parameters))
            auditors.setdefault(document.scope, set()).update(
                [document.record.auditor] if document.record.auditor else []
            )
    words = {scope: RecordedParameters.strictest(words) for scope, words in scopes.items()}
    apart = [scope for scope, word in words.items() if word is RecordedParameters.SEALED and len(auditors[scope]) > 1]
    words |= dict.fromkeys(apart, RecordedParameters.HASHED)  # what two are to open each alone, nobody is
    sealed = [scope for scope, word in words.items() if word is RecordedParameters.SEALED]
    return RecordRules.by(words, {scope: read_public_key(*auditors[scope]) for scope in sealed})
