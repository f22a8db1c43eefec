"""Where work that takes long is done beside the event loop: a thread, and whoever sends much waits for himself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Generic, TypeVar

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

MOST_OF_ONE_AGENT = 8
"""Works of one agent that may wait."""
MOST_WAITING = 64
"""Works that may wait together: each holds a body of at most a megabyte."""

Result = TypeVar("Result")
_Work = tuple[Callable[[], Result], "asyncio.Future[Result]"]


class SlowLane(Generic[Result]):
    """Does works one at a time in a thread, in turn for each agent who has some waiting.

    A thread of Python cannot be stopped: who gives up leaves the lane, but the work under way goes on to its end.
    So the works must be bounded, as the reading of a body is (`strict_json.MAX_VALUES`).
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "slow-lane")
        self._waiting: OrderedDict[Scope, deque[_Work[Result]]] = OrderedDict()
        self._is_busy = False

    async def do(self, agent: Scope, work: Callable[[], Result]) -> Result:
        """The result of `work`, or what it raises. Raises Refused(OVERLOADED) when too much waits already."""
        own = self._waiting.setdefault(agent, deque())
        waiting = sum(map(len, self._waiting.values()))
        if len(own) >= MOST_OF_ONE_AGENT or waiting >= MOST_WAITING:
            if not own:
                del self._waiting[agent]
            raise Refused(Reason.OVERLOADED, "too many bodies that take long to read")
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        own.append((work, result))
        self._begin_next()
        return await result

    def close(self) -> None:
        """Begin no more work."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin_next(self) -> None:
        while self._waiting and not self._is_busy:
            agent, works = next(iter(self._waiting.items()))
            work, result = works.popleft()
            if works:
                self._waiting.move_to_end(agent)
            else:
                del self._waiting[agent]
            if not result.done():  # who gave up needs no answer
                self._is_busy = True
                begun = asyncio.get_running_loop().run_in_executor(self._thread, work)
                begun.add_done_callback(partial(self._end, result))

    def _end(self, result: asyncio.Future[Result], work: asyncio.Future[Result]) -> None:
        self._is_busy = False
        fault = work.exception()
        if not result.done():
            if fault is None:
                result.set_result(work.result())
            else:
                result.set_exception(fault)
        self._begin_next()
