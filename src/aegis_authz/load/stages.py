"""The load of `aegis bench`: what the mesh can do at most, then how fast it is below that."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aegis_authz.load.calls import Call, write_targets
from aegis_authz.load.outcome import Outcome
from aegis_authz.load.tokens import Tokens
from aegis_authz.load.vegeta import Plan

Attack = Callable[[Path, Plan], Awaitable[Outcome]]
"""Sends the targets of a file."""
Progress = Callable[[str], None]

SHARES = (0.25, 0.5, 0.85)
"""Of the ceiling, the rates of the open loops."""
_WARM_UP = 1.0
_FIRST_GUESS = 8000
"""Calls a second to have tokens ready for, before anything was measured."""
_HEADROOM = 1.5
"""More tokens than the warm-up would have used: what is warm is faster."""


class NothingRight(Exception):
    """Not one call was answered as it should be, so there is no rate to go on with."""

    def __init__(self, stage: Stage) -> None:
        super().__init__("not one call was answered as it should be")
        self.stage = stage


@dataclass(frozen=True, slots=True)
class Aim:
    """What is loaded: the server at `base`, the calls in turn, and the tokens they carry."""

    base: str
    calls: Sequence[Call]
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for. Without `rates` the ceiling is measured and the rates are shares of it."""

    seconds: float
    connections: int
    rates: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """One load and what came of it."""

    plan: Plan
    outcome: Outcome


class Stages:
    """Plays the stages of a load, one after another."""

    def __init__(self, attack: Attack, aim: Aim, say: Progress) -> None:
        self._attack = attack
        self._aim = aim
        self._say = say

    async def play(self, wish: Wish) -> list[Stage]:
        """Every stage in order; fewer when the tokens run out, which is said.

        Raises NothingRight, ValueError for a plan that cannot be sent, and what the attack raises.
        """
        longest = self._aim.tokens.life / 2
        if wish.seconds > longest:
            raise ValueError(f"the tokens would expire: a load may last {longest:g} seconds at most")
        rates = wish.rates
        closed = Plan(None, wish.seconds, wish.connections)
        warm_up = replace(closed, rate=rates[0] if rates else None, seconds=min(_WARM_UP, wish.seconds))
        self._say("warming up")
        first = await self._stage(warm_up, warm_up.rate or _FIRST_GUESS)
        if first is None:
            return []
        # Not a measurement, and yet a wrong answer is one.
        played = [first] if first.outcome.faults else []
        if not rates:
            self._say(f"closed loop of {wish.connections} connections, {wish.seconds:g} s")
            ceiling = await self._stage(closed, first.outcome.achieved * _HEADROOM)
            if ceiling is None:
                return played
            played.append(ceiling)
            rates = [ceiling.outcome.achieved * share for share in SHARES]
        for offered in rates:
            self._say(f"open loop, {offered:.0f} calls a second, {wish.seconds:g} s")
            stage = await self._stage(Plan(offered, wish.seconds, wish.connections), offered)
            if stage is None:
                break
            played.append(stage)
        return played

    async def _stage(self, plan: Plan, rate: float) -> Stage | None:
        """One load with tokens for this rate; None when there are no more tokens."""
        tokens = self._aim.tokens
        count = round(rate * plan.seconds) + plan.connections
        with tempfile.TemporaryDirectory(prefix="aegis-targets-") as folder:
            targets = Path(folder, "targets.jsonl")
            if not write_targets(targets, self._aim.base, self._aim.calls, tokens.take(count)):
                self._say("the tokens are used up")
                return None
            stage = Stage(plan, await self._attack(targets, plan))
        tokens.spent(stage.outcome.sent)
        if not stage.outcome.right:
            raise NothingRight(stage)
        return stage
