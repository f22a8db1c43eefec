"""What records hold of the parameters of an agent's calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering, scope_shape


class RecordedParameters(Enum):
    """Which parameters of a call stand in its record, strictest first.

    HASHED: none, nor the path they may stand in; the digest of the call alone tells it from others. DECLARED: those
    that the catalogue lists one by one, and none of a call whose bodies are redacted. CLEAR: all of them, but for a
    call whose request is redacted.
    """

    HASHED = "hashed"
    DECLARED = "declared"
    CLEAR = "clear"

    @staticmethod
    def strictest(words: Iterable[RecordedParameters]) -> RecordedParameters:
        """What all of them allow; DECLARED where there are none."""
        return min(words, key=_WORDS.index, default=RecordedParameters.DECLARED)


_WORDS = tuple(RecordedParameters)


@dataclass(frozen=True, slots=True)
class RecordRules:
    """The words of a revision, by the scope of the document that has them; `shapes` are those of all scopes."""

    shapes: frozenset[ScopeShape]
    by_scope: Mapping[str, RecordedParameters]

    @staticmethod
    def by(scopes: Mapping[str, RecordedParameters]) -> RecordRules:
        """The words of these scopes, each `org/tenant/agent` as written. Raises ValueError for other scopes."""
        return RecordRules(frozenset(map(scope_shape, scopes)), dict(scopes))

    def of(self, scope: Scope) -> RecordedParameters:
        """What every document that covers the agent allows."""
        if not self.shapes:
            return RecordedParameters.DECLARED
        names = covering(str(scope), self.shapes)
        return RecordedParameters.strictest(self.by_scope[name] for name in names if name in self.by_scope)


NO_RECORD_RULES = RecordRules.by({})
