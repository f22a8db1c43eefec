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
    circumstance.word: circumstance
    for circumstance in (
        # in whole nanoseconds: OPA hashes a number by its integer part
        Circumstance("time", "number", True, lambda question: int(question.time * 1e9)),
        Circumstance("environment", "string", False, lambda question: question.environment or None),
        Circumstance("source", "string", False, lambda question: question.call.source or None),
        Circumstance("on_behalf_of", "string", False, lambda question: question.identity.on_behalf_of or None),
        Circumstance("acted_by", "array", True, lambda question: list(question.identity.actors)),
        Circumstance(
            "token_age", "number", True, lambda question: max(0, int(question.time - question.identity.issued_at))
        ),
    )
}
"""By word, all that a question can tell the PDP."""

CONTEXT = frozenset(CIRCUMSTANCES)
"""What a policy can ask about the circumstances of a call."""

CLOCKED = frozenset(("time", "token_age"))
"""Those that are others at another time: a question that tells of them never comes twice."""
