"""The heads of answers that open MCP sessions: their ids are wrapped."""

from __future__ import annotations

import logging

from aegis_authz.check.body_terms import BodyTerms, read_session_terms
from aegis_authz.check.withhold import withheld
from aegis_authz.core.decision import Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.session import wrapped_id
from aegis_authz.ports.data_plane import SessionKeys
from aegis_authz.wire.envoy.ext_proc import Piece, headers_reply, immediate_reply
from aegis_authz.wire.mcp.session import SESSION_HEADER

_log = logging.getLogger(__name__)


class SessionHeads:
    """Answers the streams that are of one head alone."""

    def __init__(self, keys: SessionKeys) -> None:
        self._keys = keys

    def reply(self, head: Piece) -> bytes:
        """The head of an answer with its session's id wrapped, or a refusal in its place."""
        terms = None
        try:
            owner, terms = read_session_terms(head.metadata)
            return headers_reply(head.target, {SESSION_HEADER: self._wrapped(head, owner)}, ())
        except Refused as refused:
            _log.warning("an MCP session was not opened: %s", refused)
            return _refusal(refused.reason, terms)

    def _wrapped(self, head: Piece, owner: str) -> str:
        ids = head.headers.get(SESSION_HEADER, ())
        try:
            (tool_id,) = ids
            return wrapped_id(tool_id, owner, self._keys.session_keys())
        except ValueError:
            raise Refused(Reason.RESPONSE_WITHHELD, "the tool names its session in no way that can be bound") from None


def _refusal(reason: Reason, terms: BodyTerms | None) -> bytes:
    answer = withheld(reason, Target.RESPONSE, terms)
    return immediate_reply(answer.status, answer.headers, answer.body, f"aegis_{reason.value.lower()}")
