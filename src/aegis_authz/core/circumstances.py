"""What is known around a call besides its parameters, each circumstance declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aegis_authz.core.decision import Evaluation
from aegis_authz.core.json_value import Json


@dataclass(frozen=True, slots=True)
class Circumstance:
    """One circumstance.

    `word` is its name in policies and in the context of a question, `json_type` the type of its value. `of` takes it
    from a question; None means that it is not known, which an `is_certain` one always is.
    """

    word: str
    json_type: str
    is_certain: bool
    of: Callable[[Evaluation], Json]


CIRCUMSTANCES: Mapping[str, Circumstance] = {
    one.word: one
    for one in (
        # in whole nanoseconds: OPA hashes a number by its integer part
        Circumstance("time", "number", True, lambda asked: int(asked.time * 1e9)),
        Circumstance("environment", "string", False, lambda asked: asked.environment or None),
        Circumstance("source", "string", False, lambda asked: asked.call.source or None),
        Circumstance("on_behalf_of", "string", False, lambda asked: asked.identity.on_behalf_of or None),
        Circumstance("acted_by", "array", True, lambda asked: list(asked.identity.actors)),
        Circumstance("token_age", "number", True, lambda asked: max(0, int(asked.time - asked.identity.issued_at))),
    )
}
"""By word, all that a question can tell the PDP."""

CONTEXT = frozenset(CIRCUMSTANCES)
"""What a policy can ask about the circumstances of a call."""
