"""How the control plane is asked for a token: with an assertion (RFC 6749 section 4.4, RFC 7523), or in exchange for
the token that a platform gives the agent, or for one of ours that is to be narrowed (RFC 8693, RFC 9396)."""

from __future__ import annotations

from collections.abc import Callable

import aiohttp

from aegis_authz.agent.answers import AnswerTooLong, whole_body
from aegis_authz.agent.proof import ProofKey
from aegis_authz.agent.tokens import AgentToken, TokenFault
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.encoding import strict_json

_GRANT = "client_credentials"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"  # noqa: S105  # a name space
_SECONDS = 10
_LONGEST_LIFE = 86_400.0


class TokenEndpoint:
    """The token endpoint of a control plane, for one agent.

    `form` says who asks; it is made anew for each token, and may raise TokenFault.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        url: str,
        agent: Scope,
        key: ProofKey,
        form: Callable[[], dict[str, str]] | None = None,
    ) -> None:
        """Without `form` the agent proves itself by the key that the token will be bound to."""
        self._session = session
        self._url = url
        self._agent = agent
        self._key = key
        self._form = self._assertion if form is None else form

    def _assertion(self) -> dict[str, str]:
        return {
            "grant_type": _GRANT,
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._key.assertion(self._agent, self._url),
        }

    async def obtain(self) -> AgentToken:
        """Ask for a token that is bound to the key. Raises TokenFault."""
        return await self._ask(self._form())

    async def narrow(self, token: str, details: str, bound_to: str = "") -> AgentToken:
        """Exchange a token of the key for one that is narrowed to `details` (RFC 9396). Raises TokenFault.

        It is bound to the key whose thumbprint is `bound_to`, "" for our own.
        """
        form = {"authorization_details": details}
        return await self._exchange(token, {**form, "dpop_jkt": bound_to} if bound_to else form)

    async def renew(self, token: str) -> AgentToken:
        """Exchange a narrowed token for another one with the same grant. Raises TokenFault."""
        return await self._exchange(token, {})

    async def _exchange(self, token: str, form: dict[str, str]) -> AgentToken:
        return await self._ask({**exchange_form(token, "access_token"), **form})

    async def _ask(self, form: dict[str, str]) -> AgentToken:
        proof = self._key.proof("POST", self._url, None, b"")
        try:
            async with self._session.post(
                self._url,
                data=form,
                headers={"DPoP": proof, "accept": "application/json"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=_SECONDS),
            ) as response:
                body, status = await whole_body(response), response.status
        except AnswerTooLong as fault:
            raise TokenFault(f"the control plane at {self._url} answered {fault}") from None
        except (aiohttp.ClientError, TimeoutError, OSError) as fault:
            why = str(fault) or type(fault).__name__
            raise TokenFault(f"the control plane does not answer at {self._url}: {why}") from None
        answer = _object(body)
        if status != 200:
            raise TokenFault(
                f"the control plane at {self._url} issued no token to {self._agent}: {_why(status, answer)}"
            )
        return _token(answer, self._url)


def exchange_form(subject_token: str, kind: str) -> dict[str, str]:
    """Asks in exchange for this token of another issuer; `kind` is jwt, id_token or access_token."""
    return {
        "grant_type": _EXCHANGE,
        "subject_token": subject_token,
        "subject_token_type": f"{_TOKEN_TYPE}{kind}",
    }


def _object(body: bytes) -> dict[str, Json]:
    try:
        return strict_json.parse_object(body)
    except Refused:
        return {}


def _why(status: int, answer: dict[str, Json]) -> str:
    words = [answer.get(name) for name in ("error", "error_description", "detail")]
    return ": ".join(word for word in words if isinstance(word, str) and word) or f"status {status}"


def _token(answer: dict[str, Json], url: str) -> AgentToken:
    text, kind, life = (answer.get(name) for name in ("access_token", "token_type", "expires_in"))
    if not isinstance(text, str) or not text.isascii() or not text or not isinstance(kind, str) or kind != "DPoP":
        raise TokenFault(f"{url} answered no token that is bound to a key")
    if isinstance(life, bool) or not isinstance(life, int | float) or not 0 < life <= _LONGEST_LIFE:
        raise TokenFault(f"{url} did not say how long the token lives")
    return AgentToken(text, float(life))
