"""The queue against an exporter by script: nothing is waited for, and everything is counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from aegis_authz.adapters.span_queue import SPAN_BOUNDS, ExportFailed, ExportQueue
from aegis_authz.core.units import Seconds

BOUNDS = replace(SPAN_BOUNDS, most=10, batch=4, delay=Seconds(0.01), patience=Seconds(0.2))


class Script:
    """An exporter that does what it is told, and keeps what came."""

    def __init__(self, *acts: Callable[[], int]) -> None:
        self.acts = list(acts)
        self.requests: list[bytes] = []
        self.counts: Counter[str] = Counter()
        self.came = threading.Semaphore(0)

    def export(self, request: bytes, timeout: Seconds) -> int:
        self.requests.append(request)
        self.came.release()
        return self.acts.pop(0)() if self.acts else 0

    def count(self, outcome: str, number: int) -> None:
        self.counts[outcome] += number

    def queue(self) -> ExportQueue:
        return ExportQueue(self.export, b"|".join, self.count, BOUNDS)


def failure(wait: float | None) -> Callable[[], int]:
    def fail() -> int:
        raise ExportFailed("as told", None if wait is None else Seconds(wait))

    return fail


def spans(*names: str) -> Sequence[bytes]:
    return [name.encode() for name in names]


def test_spans_are_exported_in_order_in_batches_and_all_of_them_when_the_queue_closes() -> None:
    script = Script()
    queue = script.queue()
    queue.put(spans("a", "b"))
    queue.put(spans("c", "d", "e"))
    queue.close()
    assert b"|".join(script.requests) == b"a|b|c|d|e"
    assert max(request.count(b"|") for request in script.requests) < BOUNDS.batch
    assert script.counts == {"exported": 5}


def test_a_collector_that_hangs_costs_no_wait_and_what_finds_no_room_is_counted() -> None:
    gate = threading.Event()

    def hang() -> int:
        assert gate.wait(30)
        return 0

    script = Script(hang)
    queue = script.queue()
    queue.put(spans("first"))
    assert script.came.acquire(timeout=10)
    for _ in range(30):
        queue.put(spans("x", "y"))
    assert script.counts == {"dropped": 50}
    gate.set()
    queue.close()
    assert script.counts == {"dropped": 50, "exported": 11}


def test_what_may_be_tried_again_is_tried_again() -> None:
    script = Script(failure(0.0))
    replaced = replace(BOUNDS, patience=Seconds(10.0))
    queue = ExportQueue(script.export, b"|".join, script.count, replaced)
    queue.put(spans("a"))
    assert script.came.acquire(timeout=10)
    assert script.came.acquire(timeout=10)
    queue.close()
    assert script.requests == [b"a", b"a"]
    assert script.counts == {"exported": 1}


@pytest.mark.parametrize("wait", [None, 60.0])
def test_what_may_not_or_not_in_time_is_given_up_and_counted(wait: float | None) -> None:
    script = Script(failure(wait))
    queue = script.queue()
    queue.put(spans("a", "b"))
    assert script.came.acquire(timeout=10)
    queue.close()
    assert script.requests == [b"a|b"]
    assert script.counts == {"failed": 2}


def test_what_a_collector_rejects_is_counted_and_never_more_than_it_was_sent() -> None:
    script = Script(lambda: 1, lambda: 99)
    queue = script.queue()
    queue.put(spans("a", "b", "c"))
    assert script.came.acquire(timeout=10)
    queue.put(spans("d"))
    assert script.came.acquire(timeout=10)
    queue.close()
    assert script.counts == {"exported": 2, "rejected": 2}
