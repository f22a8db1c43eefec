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

_EARLIER, _SOONER = 0.1, 0.5
"""By which share of itself a renewal, or a try after a failure, comes earlier at most, by chance: many that began at
once shall not ask at once."""


Rest = Callable[[asyncio.Event, float], Awaitable[bool]]
"""Waits for so many seconds, or until the event; returns whether the time has passed."""


async def rest_until(event: asyncio.Event, seconds: float) -> bool:
    """`Rest` by the clock of the event loop."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return True
    return False


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
        chance: Callable[[], float],
    ) -> None:
        """`obtain` asks for a token or raises TokenFault; `report` is told what an operator should know.

        `chance` gives a number from 0 to below 1.
        """
        self._obtain = obtain
        self._monotonic = monotonic
        self._report = report
        self._chance = chance
        self._token: AgentToken | None = None
        self._began = 0.0
        self._turn = asyncio.Lock()
        self._unusable = asyncio.Event()
        self.trouble = "none was obtained yet"
        """Why the last try gave no token, "" when it did; fit to show."""

    async def token(self) -> str:
        """The token to call with. Raises TokenFault when there is none and none can be had."""
        token = self._valid()
        if token is None:
            async with self._turn:
                token = self._valid() or await self._renew()
        return token.text

    def current(self) -> str | None:
        """The token that is good now, None when there is none; asks nobody."""
        token = self._valid()
        return None if token is None else token.text

    def discard(self, text: str) -> None:
        """Hold this token no more, and have `keep` obtain another soon."""
        if self._token is not None and self._token.text == text:
            self._token = None
            self.trouble = "the token did not verify"
            self._unusable.set()

    async def keep(self, rest: Rest = rest_until) -> None:
        """Renew the token for as long as this runs. A control plane that is away is reported once and asked again."""
        wait = _FIRST_PAUSE
        is_away = False
        while True:
            self._unusable.clear()
            try:
                async with self._turn:
                    token = await self._renew()
            except TokenFault as fault:
                if not is_away:
                    self._report(f"{fault}; {self._remaining()}")
                is_away = True
                await rest(self._unusable, self._somewhat_less(wait, _SOONER))
                wait = min(2 * wait, _LONGEST_PAUSE)
                continue
            if is_away:
                self._report("the control plane issues tokens again")
            is_away = False
            if await rest(self._unusable, self._somewhat_less(token.life * _RENEWED_AT, _EARLIER)):
                wait = _FIRST_PAUSE
                continue
            self._unusable.clear()
            await rest(self._unusable, wait)  # what does not verify is not asked for without end
            wait = min(2 * wait, _LONGEST_PAUSE)

    def _somewhat_less(self, seconds: float, share: float) -> float:
        return seconds * (1 - share * self._chance())

    async def _renew(self) -> AgentToken:
        began = self._monotonic()  # its life began later, at the issuer's clock: we count too little, never too much
        try:
            token = await self._obtain()
        except TokenFault as fault:
            self.trouble = str(fault)
            raise
        self._token, self._began, self.trouble = token, began, ""
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
