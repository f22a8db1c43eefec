"""Bound tokens whose signature was verified already: each of their calls then costs the check of its proof alone."""

from __future__ import annotations

from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import Epoch
from aegis_authz.identity.token import AgentToken, check_times, read_agent_token


class TokenMemory:
    """The newest `most` bound tokens that verified under one trust, by their hash.

    All are forgotten as soon as another trust is asked for: a key that was taken back vouches for nothing from then on.
    A token is as good as on its first day only until it ends. Revocations are no business of this: each call settles.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._trust: Trust | None = None
        self._tokens: dict[str, AgentToken] = {}

    def read(self, token: str, token_digest: str, trust: Trust, now: Epoch) -> AgentToken:
        """`read_agent_token`, remembered for a token that is bound to a key. Raises what that raises."""
        self._keep_to(trust)
        verified = self._tokens.get(token_digest)
        if verified is not None:
            check_times(verified, trust, now)
            return verified
        agent_token = read_agent_token(token, trust, now)
        if agent_token.bound_key:
            if len(self._tokens) >= self._most:
                del self._tokens[next(iter(self._tokens))]
            self._tokens[token_digest] = agent_token
        return agent_token

    def _keep_to(self, trust: Trust) -> None:
        if trust is self._trust:
            return
        if trust != self._trust:  # a revision with the same keys is another object, and the same trust
            self._tokens.clear()
        self._trust = trust
