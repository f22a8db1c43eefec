"""The time that a part of a check has: `asyncio.timeout_at`, with one timer for all."""

from __future__ import annotations

import asyncio
import math
import threading
from types import TracebackType

_GRAIN = 0.001  # seconds: finer than that event loops do not wait
_alarms = threading.local()


class Deadline:
    """Ends what is awaited under it with TimeoutError, at a moment of the event loop's clock, in seconds.

    `with Deadline(at):` does what `async with asyncio.timeout_at(at):` does. That one sets a timer and takes it back,
    each time and nearly always in vain, which costs as much as writing a call's record.
    """

    __slots__ = ("_alarm", "_cancelling", "_is_late", "_task", "at")

    def __init__(self, at: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline is that of a task")
        self.at = at
        self._task = task
        self._cancelling = task.cancelling()
        self._is_late = False
        self._alarm = _alarm_of_this_thread()

    def __enter__(self) -> None:
        alarm = self._alarm
        alarm.deadlines.add(self)
        if self.at < alarm.rings_at:
            alarm.ring_at(self.at)

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._alarm.deadlines.discard(self)
        # as in asyncio.timeouts: a cancellation by another hand, before or beside ours, stays one
        if self._is_late and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from fault

    def end(self) -> None:
        """It is late."""
        self._is_late = True
        self._task.cancel()


class _Alarm:
    """The deadlines of one event loop. Its timer rings for the first of those that there were when it was set."""

    __slots__ = ("_timer", "deadlines", "loop", "rings_at")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.deadlines: set[Deadline] = set()
        self.rings_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def ring_at(self, at: float) -> None:
        """Ring at a moment that is earlier."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.rings_at = self.loop.call_at(at, self._ring), at

    def _ring(self) -> None:
        now = self.loop.time() + _GRAIN
        self._timer, self.rings_at = None, math.inf
        for deadline in [deadline for deadline in self.deadlines if deadline.at <= now]:
            self.deadlines.discard(deadline)
            deadline.end()
        if self.deadlines:
            self.ring_at(min(deadline.at for deadline in self.deadlines))


def _alarm_of_this_thread() -> _Alarm:
    """That of the running loop: nearly always the one that ran here last, too."""
    loop, alarm = asyncio.get_running_loop(), getattr(_alarms, "newest", None)
    if isinstance(alarm, _Alarm) and alarm.loop is loop:
        return alarm
    alarm = _alarms.newest = _Alarm(loop)
    return alarm
