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
        Circumstance("session", "string", False, lambda question: question.session or None),
        Circumstance(
            "token_age", "number", True, lambda question: max(0, int(question.time - question.identity.issued_at))
        ),
    )
}
"""By word, all that a question can tell the PDP."""

MCP_SESSION = "mcp:"
"""Before the SHA-256 of the id of an MCP session, where that names the session of a call."""

CONTEXT = frozenset(CIRCUMSTANCES)
"""What a policy can ask about the circumstances of a call."""

CLOCKED = frozenset(("time", "token_age"))
"""Those that are others at another time: a question that tells of them never comes twice."""


def session_name(token: str, mcp_digest: str) -> str:
    """The session, or the task, that a call belongs to by the word of others than its agent; "" where there is none.

    `token` is what the token's issuer names (`sid`). Without it an MCP session, which is bound to its agent and tool,
    is told by the SHA-256 of the id that the agent shows: whoever reads this cannot go on with it. What an agent says
    in a header of its own is nobody's word but its own.
    """
    if token:
        return token
    return f"{MCP_SESSION}{mcp_digest}" if mcp_digest else ""
