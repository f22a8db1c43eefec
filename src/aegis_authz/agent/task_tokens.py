"""The tokens of one task: the agent's token narrowed once, and renewed under the very same grant after that."""

from __future__ import annotations

from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import AgentToken


class TaskTokens:
    """Obtains the tokens of one task.

    The first is the agent's own, narrowed to `details` (RFC 9396), or `token`, which is narrowed already. Each after it
    is exchanged for the one before, so that what the grant counts goes on; a grant that is lost is not asked for anew.
    """

    def __init__(self, endpoint: TokenEndpoint, details: str, token: str = "") -> None:
        self._endpoint = endpoint
        self._details = details
        self._token = token

    async def obtain(self) -> AgentToken:
        """The next token. Raises TokenFault."""
        if self._token:
            token = await self._endpoint.renew(self._token)
        else:
            own = await self._endpoint.obtain()
            token = await self._endpoint.narrow(own.text, self._details)
        self._token = token.text
        return token
