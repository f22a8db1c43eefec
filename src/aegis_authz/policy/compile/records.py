"""What records hold of calls, as documents say it."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.core.record_terms import RecordedParameters
from aegis_authz.policy.compile.rules import CompiledDocument


def records_of(policies: Sequence[CompiledDocument]) -> dict[str, RecordedParameters]:
    """The words of all documents that have one, by scope: the strictest of one scope, shadow documents included."""
    scopes: dict[str, list[RecordedParameters]] = {}
    for document in (policy.document for policy in policies):
        if document.record is not None:
            scopes.setdefault(document.scope, []).append(RecordedParameters(document.record.parameters))
    return {scope: RecordedParameters.strictest(words) for scope, words in scopes.items()}
