"""How much of what may be under way one agent may have, so that none takes all of it.

Shares count while much is under way; an agent who is alone may have all of it, and those who called within the last
seconds have equal parts of it. Whoever has a share is refused at once, before anything is asked for the call.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Monotonic

MOST_KNOWN = 1024
"""Agents that are told apart within a generation: with more of them a share is too small to matter."""
GENERATION = 1.0
"""Seconds after which an agent who no longer calls makes room for the others, at the latest after two of them."""
LEAST = 2
NEWCOMERS = 12
"""A twelfth of the limit is nobody's share, so that an agent who calls first is heard at all."""


class Shares:
    """Counts what each agent has under way. `limit` says how many checks may be under way together."""

    __slots__ = ("_before", "_began", "_callers", "_limit", "_total", "_under_way")

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._under_way: dict[Scope, int] = {}
        self._total = 0
        self._callers: set[Scope] = set()
        self._before: set[Scope] = set()
        self._began = Monotonic(float("-inf"))

    def share(self, agent: Scope, now: Monotonic) -> Share:
        """What is under way for the agent until this is closed. Raises Refused(OVERLOADED) beyond its share."""
        if not self.enter(agent, now):
            raise Refused(Reason.OVERLOADED, "more than the share of one agent is under way")
        return Share(self, agent)

    def enter(self, agent: Scope, now: Monotonic) -> bool:
        """Whether a check of the agent may go on. Every check that may says `leave`."""
        self._note(agent, now)
        own, limit = self._under_way.get(agent, 0), self._limit()
        limit -= limit // NEWCOMERS
        is_busy = 2 * self._total >= limit
        callers = max(len(self._callers), len(self._before), 1)
        if is_busy and own >= max(LEAST, limit // callers):
            return False
        self._under_way[agent] = own + 1
        self._total += 1
        return True

    def leave(self, agent: Scope) -> None:
        """A check of the agent ended."""
        self._total -= 1
        own = self._under_way[agent] - 1
        if own:
            self._under_way[agent] = own
        else:
            del self._under_way[agent]

    def _note(self, agent: Scope, now: Monotonic) -> None:
        if now - self._began >= GENERATION:
            self._before = self._callers if now - self._began < 2 * GENERATION else set()
            self._callers, self._began = set(), now
        if len(self._callers) < MOST_KNOWN:
            self._callers.add(agent)


class Share:
    """One check of an agent that is under way, for use with `with`."""

    __slots__ = ("_agent", "_shares")

    def __init__(self, shares: Shares, agent: Scope) -> None:
        self._shares = shares
        self._agent = agent

    def __enter__(self) -> None:
        """Nothing: it was taken already."""

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shares.leave(self._agent)
