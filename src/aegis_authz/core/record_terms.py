"""What records hold of the parameters of an agent's calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering, scope_shape


class RecordedParameters(Enum):
    """Which parameters of a call stand in its record, strictest first.

    HASHED: none, nor the path they may stand in; the digest of the call alone tells it from others. SEALED: what would
    stand there as CLEAR, and for an auditor alone to open. DECLARED: those
    that the catalogue lists one by one, and none of a call whose bodies are redacted. CLEAR: all of them, but for a
    call whose request is redacted.
    """

    HASHED = "hashed"
    SEALED = "sealed"
    DECLARED = "declared"
    CLEAR = "clear"

    @staticmethod
    def strictest(words: Iterable[RecordedParameters]) -> RecordedParameters:
        """What all of them allow; DECLARED where there are none."""
        return min(words, key=_WORDS.index, default=RecordedParameters.DECLARED)


_WORDS = tuple(RecordedParameters)
NO_AUDITORS: Mapping[str, bytes] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RecordRules:
    """The words of a revision, by the scope of the document that has them; `shapes` are those of all scopes.

    `auditors` are the raw public keys that the scopes of SEALED seal for.
    """

    shapes: frozenset[ScopeShape]
    by_scope: Mapping[str, RecordedParameters]
    auditors: Mapping[str, bytes]

    @staticmethod
    def by(scopes: Mapping[str, RecordedParameters], auditors: Mapping[str, bytes] = NO_AUDITORS) -> RecordRules:
        """The words of these scopes, each `org/tenant/agent` as written. Raises ValueError for other scopes, and for
        auditors of other scopes than those that are sealed.
        """
        if {scope for scope, word in scopes.items() if word is RecordedParameters.SEALED} != auditors.keys():
            raise ValueError("each scope that seals, and no other, has the key of an auditor")
        return RecordRules(frozenset(map(scope_shape, scopes)), dict(scopes), dict(auditors))

    def of(self, scope: Scope) -> RecordedParameters:
        """What every document that covers the agent allows: where they seal for different keys, nobody is to read."""
        if not self.shapes:
            return RecordedParameters.DECLARED
        names = covering(str(scope), self.shapes)
        word = RecordedParameters.strictest(self.by_scope[name] for name in names if name in self.by_scope)
        is_apart = word is RecordedParameters.SEALED and len(self._auditors_of(scope)) > 1
        return RecordedParameters.HASHED if is_apart else word

    def auditor_of(self, scope: Scope) -> bytes | None:
        """The raw public key of the one who opens what is sealed of the agent's calls; None where nothing is sealed."""
        if not self.auditors or self.of(scope) is not RecordedParameters.SEALED:
            return None
        (auditor,) = self._auditors_of(scope)
        return auditor

    def _auditors_of(self, scope: Scope) -> set[bytes]:
        names = covering(str(scope), self.shapes)
        return {self.auditors[name] for name in names if name in self.auditors}


NO_RECORD_RULES = RecordRules.by({})
