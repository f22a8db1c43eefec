"""The agent's token: obtained when it is needed, renewed before it ends, and never shown."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

_RENEWED_AT = 2 / 3
"""Of a token's life, after which the next one is obtained: the last third is for a control plane that is away."""

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0
"""Seconds between tries while no token can be had; each pause is twice the one before."""

_LAST_MOMENT = 2.0
"""Seconds before its end in which a token is not used any more: the call takes a while to be judged."""


class TokenFault(Exception):
    """No token could be obtained; the message says from whom and why, and is fit to show."""


@dataclass(frozen=True, slots=True)
class AgentToken:
    """A token and the seconds it lives from when it was asked for."""

    text: str = field(repr=False)
    life: float


class TokenKeeper:
    """Holds the token that is valid now."""

    def __init__(
        self,
        obtain: Callable[[], Awaitable[AgentToken]],
        monotonic: Callable[[], float],
        report: Callable[[str], None],
    ) -> None:
        """`obtain` asks for a token or raises TokenFault; `report` is told what an operator should know."""
        self._obtain = obtain
        self._monotonic = monotonic
        self._report = report
        self._token: AgentToken | None = None
        self._began = 0.0
        self._turn = asyncio.Lock()

    async def token(self) -> str:
        """The token to call with. Raises TokenFault when there is none and none can be had."""
        token = self._valid()
        if token is None:
            async with self._turn:
                token = self._valid() or await self._renew()
        return token.text

    async def keep(self, pause: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        """Renew the token for as long as this runs. A control plane that is away is reported once and asked again."""
        wait = _FIRST_PAUSE
        is_away = False
        while True:
            try:
                async with self._turn:
                    token = await self._renew()
            except TokenFault as fault:
                if not is_away:
                    self._report(f"{fault}; {self._remaining()}")
                is_away = True
                await pause(wait)
                wait = min(2 * wait, _LONGEST_PAUSE)
                continue
            if is_away:
                self._report("the control plane issues tokens again")
            is_away, wait = False, _FIRST_PAUSE
            await pause(token.life * _RENEWED_AT)

    async def _renew(self) -> AgentToken:
        began = self._monotonic()  # its life began later, at the issuer's clock: we count too little, never too much
        token = await self._obtain()
        self._token, self._began = token, began
        return token

    def _valid(self) -> AgentToken | None:
        token = self._token
        if token is None or self._monotonic() >= self._began + token.life - min(_LAST_MOMENT, token.life / 10):
            return None
        return token

    def _remaining(self) -> str:
        if self._token is None or self._valid() is None:
            return "calls are refused until it does"
        left = self._began + self._token.life - self._monotonic()
        return f"the token of before serves for {left:.0f} s more"
