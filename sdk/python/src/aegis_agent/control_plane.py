"""What an agent asks its control plane: for a token, and how a held call stands."""

from __future__ import annotations

import re
import ssl
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

from aegis_agent.enrolment import Enrolment
from aegis_agent.errors import AegisUnavailable, Standing
from aegis_agent.exchange import Exchange
from aegis_agent.key import AgentKey

SECONDS = 10
"""How long each read of an answer may take."""
_MOST_BYTES = 65_536
_LONGEST_LIFE = 86_400.0
_APPROVAL_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_PAUSE = 2.0


@dataclass(frozen=True, slots=True)
class AgentToken:
    """A token and the seconds it lives from when it was asked for."""

    text: str = field(repr=False)
    life: float


class ControlPlane:
    """The control plane of one agent's mesh."""

    def __init__(self, enrolment: Enrolment, key: AgentKey, tls: ssl.SSLContext | None) -> None:
        """`tls` verifies its certificate; None is for the authorities of the system."""
        self._enrolment = enrolment
        self._key = key
        self._exchange = Exchange("the control plane", tls, SECONDS, _MOST_BYTES)

    def obtain(self) -> AgentToken:
        """A token that is bound to the key (RFC 7523, RFC 9449). Raises AegisUnavailable."""
        url, agent = self._enrolment.token_endpoint, self._enrolment.agent
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self._key.assertion(agent, url),
        }
        headers = {"DPoP": self._key.proof("POST", url, "", b""), "Accept": "application/json"}
        reply = self._exchange.send(url, urllib.parse.urlencode(form).encode("ascii"), headers)
        status, answer = reply.status, reply.members
        if status != 200:
            raise AegisUnavailable(f"the control plane at {url} issued no token to {agent}: {_why(status, answer)}")
        text, kind, life = (answer.get(name) for name in ("access_token", "token_type", "expires_in"))
        if not isinstance(text, str) or not text.isascii() or not text or kind != "DPoP":
            raise AegisUnavailable(f"{url} answered no token that is bound to a key")
        if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life <= _LONGEST_LIFE:
            raise AegisUnavailable(f"{url} did not say how long the token lives")
        return AgentToken(text, float(life))

    def standing(self, approval_id: str) -> Standing:
        """How a held call stands. Raises AegisUnavailable."""
        if _APPROVAL_ID.match(approval_id) is None:
            raise AegisUnavailable("the mesh named no approval that could be asked about")
        # the address that an answer names is not asked: what answers a call does not choose whom we call
        url = f"{self._enrolment.control}/v1/approvals/{approval_id}/status"
        reply = self._exchange.send(url, None, {"Accept": "application/json"})
        status, answer, pause = reply.status, reply.members, reply.headers.get("retry-after", "")
        state, detail = answer.get("state"), answer.get("detail")
        if status != 200 or not isinstance(state, str) or not isinstance(detail, str):
            raise AegisUnavailable(f"the control plane does not say how {approval_id} stands: {_why(status, answer)}")
        return Standing(state, detail, float(pause) if pause.isdecimal() else _PAUSE)


def _why(status: int, answer: dict[str, Any]) -> str:
    words = [answer.get(name) for name in ("error", "error_description", "detail")]
    return ": ".join(word for word in words if isinstance(word, str) and word) or f"status {status}"
