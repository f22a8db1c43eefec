"""Rounds of load in turn over all contenders: closed loop for CPU, open loop for latency.

What a machine does beside the benchmark changes within minutes. So nobody plays all rounds at once: each round
goes over all contenders, every other one backwards, and medians are taken over the rounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Protocol, TypeVar

from aegis_authz.load.outcome import Outcome
from aegis_authz.load.vegeta import Plan
from benchmarks.measure.cpu import cpu_seconds
from benchmarks.measure.results import DECIDING

TAIL = 1.0
"""Seconds waited after a load before the CPU of who judged is read: work that was put off is paid for too."""
_FIRST_GUESS = 4000.0
"""Calls a second to have ready before anything was measured."""
_HEADROOM = 1.5
"""More calls are made ready than the rounds before used: the next may be faster."""

Say = Callable[[str], None]
"""Takes one line of progress."""
Pause = Callable[[float], Awaitable[None]]
ReadCpu = Callable[[Mapping[str, tuple[int, ...]]], Mapping[str, float]]
_Turn = TypeVar("_Turn")


class Entrant(Protocol):
    """What is to be known of a contender to load it and to count what that costs."""

    @property
    def name(self) -> str:
        """As it is called in the table."""

    @property
    def url(self) -> str:
        """Of the Envoy in front of it."""

    @property
    def pids(self) -> Mapping[str, tuple[int, ...]]:
        """Its processes by part: `envoy` in front, `authz`, `opa`, `redis`."""

    @property
    def judges(self) -> bool:
        """Whether it reads tokens and denies what policy does not allow."""

    @property
    def proves(self) -> bool:
        """Whether its calls show one token that is bound to a key, each with a proof, and not a token each."""

    @property
    def agent(self) -> str:
        """The agent that calls it."""


class Loads(Protocol):
    """Makes calls ready, and sends them; apart, as only the sending is to be measured."""

    async def prepare(self, contender: Entrant, count: int) -> Path:
        """That many calls for this contender."""

    async def send(self, calls: Path, plan: Plan) -> Outcome:
        """Send calls that were prepared; they are used up then."""


@dataclass(frozen=True, slots=True)
class ClosedRound:
    """One round of one contender in the closed loop. `cpu` is seconds by part."""

    outcome: Outcome
    cpu: Mapping[str, float]

    def per_decision(self) -> dict[str, float]:
        """Microseconds for each right answer, by part.

        Only a right answer is a decision: what the refused and failed calls of the round cost is charged to them.
        """
        return {part: spent * 1e6 / max(self.outcome.right, 1) for part, spent in self.cpu.items()}


@dataclass(frozen=True, slots=True)
class Target:
    """A contender at `rate` calls a second, which is `share` of the ceiling of the contender named `of`."""

    contender: Entrant
    of: str
    share: float
    rate: float

    @property
    def key(self) -> tuple[str, str, float]:
        """Who plays, and at which rate: those of one key are rounds of the same load."""
        return self.contender.name, self.of, self.share


class Rounds:
    """Plays the rounds. A contender must be up and answer rightly; nobody else is under load meanwhile.

    `spent` are the CPU seconds of the deciding parts in each round of the open loop, by the key of its target.
    """

    def __init__(self, loads: Loads, say: Say, read_cpu: ReadCpu | None = None, pause: Pause = asyncio.sleep) -> None:
        self._loads = loads
        self._say = say
        self._read_cpu = read_cpu or part_seconds
        self.spent: dict[tuple[str, str, float], list[float]] = {}
        self._pause = pause

    async def closed(self, contenders: Sequence[Entrant], rounds: int, plan: Plan) -> dict[str, list[ClosedRound]]:
        """So many rounds of a closed loop of each, by name, after one of half the time to warm up.

        Raises what sending raises, OSError when a process of a contender is gone.
        """
        played: dict[str, list[ClosedRound]] = {contender.name: [] for contender in contenders}
        ready = dict.fromkeys(played, _FIRST_GUESS)
        warm_up = replace(plan, seconds=max(plan.seconds / 2, 1.0))
        for number, contender in _in_turn(contenders, rounds + 1):
            self._say(f"closed loop, {f'round {number} of {rounds}' if number else 'warm-up'}: {contender.name}")
            now = plan if number else warm_up
            result = await self._closed(contender, now, round(ready[contender.name] * now.seconds))
            ready[contender.name] = result.outcome.sent / max(result.outcome.seconds, 0.1) * _HEADROOM
            if number:
                played[contender.name].append(result)
        return played

    async def open(
        self, targets: Sequence[Target], rounds: int, plan: Plan
    ) -> dict[tuple[str, str, float], list[Outcome]]:
        """So many rounds of each target at its rate, by its key. Raises what sending raises."""
        played: dict[tuple[str, str, float], list[Outcome]] = {target.key: [] for target in targets}
        for number, target in _in_turn(targets, rounds):
            self._say(
                f"open loop, round {number + 1} of {rounds}: {target.contender.name}, {target.rate:.0f} calls a second"
            )
            now = replace(plan, rate=target.rate)
            count = round(target.rate * plan.seconds) + plan.connections
            calls = await self._loads.prepare(target.contender, count)
            before = self._read_cpu(target.contender.pids)
            played[target.key].append(await self._loads.send(calls, now))
            await self._pause(TAIL if target.contender.judges else 0.0)
            after = self._read_cpu(target.contender.pids)
            self.spent.setdefault(target.key, []).append(
                sum(after[part] - before[part] for part in DECIDING if part in after)
            )
        return played

    async def _closed(self, contender: Entrant, plan: Plan, count: int) -> ClosedRound:
        calls = await self._loads.prepare(contender, count)
        before = self._read_cpu(contender.pids)
        outcome = await self._loads.send(calls, plan)
        await self._pause(TAIL)
        after = self._read_cpu(contender.pids)
        return ClosedRound(outcome, {part: after[part] - before[part] for part in after})


def ceiling(played: Sequence[ClosedRound]) -> float:
    """The rate of the open loop's shares: right answers a second in the closed loop, median of the rounds."""
    return median(loop.outcome.achieved for loop in played)


def targets_of(
    floor: Entrant | None, measured: Sequence[tuple[Entrant, float]], shares: Sequence[float]
) -> list[Target]:
    """Each contender at these shares of its ceiling, and `floor` at the same rates right behind it."""
    targets = []
    for contender, most in measured:
        for share in shares:
            targets.append(Target(contender, contender.name, share, most * share))
            if floor is not None:
                targets.append(Target(floor, contender.name, share, most * share))
    return targets


def part_seconds(pids: Mapping[str, tuple[int, ...]]) -> dict[str, float]:
    """CPU seconds of each part so far, its processes together. Raises OSError when one is gone."""
    return {part: sum(cpu_seconds({str(pid): pid for pid in members}).values()) for part, members in pids.items()}


def _in_turn(turns: Sequence[_Turn], rounds: int) -> list[tuple[int, _Turn]]:
    return [(number, turn) for number in range(rounds) for turn in (turns[::-1] if number % 2 else turns)]
