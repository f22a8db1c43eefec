"""What waits to be exported: bounded, emptied by a thread of its own, and never waited for.

The record is the evidence, and a span only a picture of it: where a collector is away or slow, spans are dropped and
counted, and no decision knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from aegis_authz.core.units import Seconds

_log = logging.getLogger(__name__)

EXPORTED, DROPPED, REJECTED, FAILED = "exported", "dropped", "rejected", "failed"
"""What becomes of spans: taken by the collector; no room in the queue; refused by the collector; given up."""


class ExportFailed(Exception):
    """A batch was not taken. `wait` is None where the same would never be, else the least seconds until another try."""

    def __init__(self, problem: str, wait: Seconds | None) -> None:
        super().__init__(problem)
        self.wait = wait


class Export(Protocol):
    """Sends one request. Returns how many of its spans the collector says it did not take. Raises ExportFailed."""

    def __call__(self, request: bytes, timeout: Seconds) -> int:
        """Send it, waiting for at most `timeout`."""
        ...


@dataclass(frozen=True, slots=True)
class QueueBounds:
    """`most` spans wait; `batch` are sent at once, or after `delay` what is there. A batch is tried for `patience`,
    each time for `timeout`.
    """

    most: int
    batch: int
    delay: Seconds
    timeout: Seconds
    patience: Seconds


SPAN_BOUNDS = QueueBounds(16_384, 512, Seconds(0.25), Seconds(5.0), Seconds(30.0))
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
_LAST_WAIT = 2.0
"""Seconds that a stopping process gives what still waits."""
_SILENCE = 60.0
"""Seconds between two lines of the log that say the same."""


class ExportQueue:
    """Takes encoded spans from the thread of decisions and exports them from another."""

    def __init__(
        self,
        export: Export,
        frame: Callable[[Sequence[bytes]], bytes],
        count: Callable[[str, int], None],
        bounds: QueueBounds = SPAN_BOUNDS,
    ) -> None:
        self._export, self._frame, self._count, self._bounds = export, frame, count, bounds
        self._waiting: deque[bytes] = deque()
        self._is_full = threading.Event()
        self._ends = threading.Event()
        self._end_by = float("inf")
        self._silent_until = 0.0
        self._thread = threading.Thread(target=self._run, name="otlp", daemon=True)
        self._thread.start()

    def put(self, spans: Sequence[bytes]) -> None:
        """Take the spans of one decision, or drop and count them. Never waits and never fails."""
        waiting = self._waiting
        if len(waiting) + len(spans) > self._bounds.most:
            self._count(DROPPED, len(spans))
            return
        waiting.extend(spans)
        if len(waiting) >= self._bounds.batch and not self._is_full.is_set():
            self._is_full.set()

    def close(self) -> None:
        """Export what waits, for two seconds at most; what is left then is dropped and counted."""
        self._end_by = time.monotonic() + _LAST_WAIT
        self._ends.set()
        self._is_full.set()
        self._thread.join(_LAST_WAIT + self._bounds.delay)
        left = len(self._waiting)
        if left:
            self._count(DROPPED, left)

    def _run(self) -> None:
        while not self._ends.is_set():
            self._is_full.wait(self._bounds.delay)
            self._is_full.clear()
            self._empty()
        self._empty()

    def _empty(self) -> None:
        waiting = self._waiting
        while waiting and time.monotonic() < self._end_by:
            batch = [waiting.popleft() for _ in range(min(len(waiting), self._bounds.batch))]
            self._send(batch)

    def _send(self, batch: Sequence[bytes]) -> None:
        request = self._frame(batch)
        give_up = time.monotonic() + self._bounds.patience
        wait = _FIRST_WAIT
        while True:
            until = min(give_up, self._end_by)
            try:
                left = Seconds(max(0.05, min(self._bounds.timeout, until - time.monotonic())))
                rejected = min(self._export(request, left), len(batch))
            except ExportFailed as failure:
                pause = None if failure.wait is None else max(wait, failure.wait)
                if pause is None or time.monotonic() + pause >= until:
                    self._count(FAILED, len(batch))
                    self._tell("%d spans are not exported: %s", len(batch), failure)
                    return
                self._ends.wait(pause)
                wait = min(2 * wait, _LONGEST_WAIT)
            else:
                self._count(EXPORTED, len(batch) - rejected)
                if rejected:
                    self._count(REJECTED, rejected)
                    self._tell("the collector did not take %d spans", rejected)
                return

    def _tell(self, sentence: str, *facts: object) -> None:
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + _SILENCE
            _log.warning(sentence, *facts)
