from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.local.process import ProcessSpec
from aegis_authz.local.supervisor import (
    FIRST_DELAY,
    LAST_DELAY,
    NEVER_DIED,
    STABLE_AFTER,
    ProcessState,
    Stage,
    StartFailed,
    Status,
    Supervisor,
)

Scripted = Callable[..., ProcessSpec]
Ends = Callable[..., bool]
GRACE = 5.0


@asynccontextmanager
async def running(stages: Sequence[Stage], watch: Any) -> AsyncIterator[asyncio.Event]:
    """The processes, all ready; they are stopped when the block ends."""
    stop, up = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(Supervisor(stages, watch, GRACE).run(up.set, stop))
    waiting = asyncio.create_task(up.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    assert up.is_set(), task
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)


async def test_each_stage_starts_when_the_one_before_is_ready_and_all_stop_in_reverse(
    scripted: Scripted, watch: Any
) -> None:
    wait_for = "test -e $FOLDER/{0}.ready || exit 9; touch $READY; exec sleep 600"
    stages = [
        [scripted("redis")],
        [scripted("left", wait_for.format("redis")), scripted("right", wait_for.format("redis"))],
        [scripted("envoy", wait_for.format("left"))],
    ]
    async with running(stages, watch):
        assert watch.seen[:2] == [("redis", ProcessState.STARTING), ("redis", ProcessState.READY)]
        assert {name for name, _ in watch.seen[2:6]} == {"left", "right"}
        assert watch.seen[6:] == [("envoy", ProcessState.STARTING), ("envoy", ProcessState.READY)]
    stopped = [name for name, state in watch.seen if state is ProcessState.STOPPED]
    assert (stopped[0], set(stopped[1:3]), stopped[3]) == ("envoy", {"left", "right"}, "redis")


async def test_a_process_that_ends_while_starting_stops_everything_and_its_log_is_told(
    scripted: Scripted, watch: Any, ends: Ends
) -> None:
    stages = [[scripted("redis")], [scripted("opa", "echo bad config >&2; exit 3")], [scripted("envoy")]]
    with pytest.raises(StartFailed, match=r"opa ended with 3 while starting:\nbad config"):
        await Supervisor(stages, watch, GRACE).run(pytest.fail, asyncio.Event())
    assert "envoy" not in watch.pids
    assert all(ends(pid) for pid in watch.all_pids)


async def test_a_process_that_never_gets_ready_stops_everything_and_says_why(
    scripted: Scripted, watch: Any, ends: Ends
) -> None:
    stages = [[scripted("redis")], [scripted("opa", "echo waiting; exec sleep 600", start_timeout=0.2)]]
    with pytest.raises(StartFailed, match=r"opa is not ready after 0.2 s: its file is not there\nwaiting"):
        await Supervisor(stages, watch, GRACE).run(pytest.fail, asyncio.Event())
    assert len(watch.all_pids) == 2
    assert all(ends(pid) for pid in watch.all_pids)


async def test_one_of_a_stage_that_fails_takes_the_others_with_it(scripted: Scripted, watch: Any, ends: Ends) -> None:
    slow = scripted("slow", "exec sleep 600", start_timeout=60)
    with pytest.raises(StartFailed, match="quick ended with 1"):
        await Supervisor([[slow, scripted("quick", "exit 1")]], watch, GRACE).run(pytest.fail, asyncio.Event())
    assert all(ends(pid) for pid in watch.all_pids)


async def test_a_missing_binary_is_a_failed_start(scripted: Scripted, watch: Any, tmp_path: Path) -> None:
    ghost = ProcessSpec("ghost", (str(tmp_path / "no"),), {}, tmp_path / "l", scripted("x").ready, 1)
    with pytest.raises(StartFailed, match=r"ghost cannot be started: .*No such file"):
        await Supervisor([[scripted("redis")], [ghost]], watch, GRACE).run(pytest.fail, asyncio.Event())
    assert watch.status("redis").state is ProcessState.STOPPED


async def test_stopping_during_the_start_leaves_nothing(scripted: Scripted, watch: Any, ends: Ends) -> None:
    stop = asyncio.Event()
    stages = [[scripted("redis")], [scripted("opa", "exec sleep 600", start_timeout=60)]]
    task = asyncio.create_task(Supervisor(stages, watch, GRACE).run(pytest.fail, stop))
    await watch.until(lambda seen: "opa" in seen.pids)
    stop.set()
    await asyncio.wait_for(task, 10)
    assert all(ends(pid) for pid in watch.all_pids)


async def test_what_dies_is_started_again_and_the_others_are_left_alone(scripted: Scripted, watch: Any) -> None:
    async with running([[scripted("redis")], [scripted("opa")]], watch):
        first = watch.status("opa").pid
        os.kill(first, signal.SIGKILL)
        await watch.until(
            lambda seen: seen.status("opa").restarts == 1 and seen.status("opa").state is ProcessState.READY
        )
        assert watch.status("opa").pid != first
        assert watch.status("opa").why == "was ended by SIGKILL"
        assert len(watch.pids["redis"]) == 1
    assert ("opa", ProcessState.WAITING) in watch.seen


async def test_what_keeps_dying_is_started_less_and_less_often(scripted: Scripted, watch: Any) -> None:
    loop = asyncio.get_running_loop()
    deaths: list[float] = []

    def note(statuses: Sequence[Status]) -> None:
        watch(statuses)
        if statuses[0].state is ProcessState.WAITING and statuses[0].restarts > len(deaths):
            deaths.append(loop.time())

    async with running([[scripted("opa", 'touch "$READY"; exec sleep 0.05')]], note):
        await watch.until(lambda _: len(deaths) >= 4)
    gaps = [after - before for before, after in pairwise(deaths)]
    assert gaps[0] >= 0.1
    assert gaps[1] >= 0.2
    assert gaps[2] >= 0.4


async def test_a_restart_that_fails_is_tried_again(scripted: Scripted, watch: Any) -> None:
    script = 'test -e $FOLDER/broken && exit 4; touch "$READY"; exec sleep 600'
    async with running([[spec := scripted("opa", script)]], watch):
        folder = Path(spec.environment["FOLDER"])
        (folder / "broken").touch()
        Path(spec.environment["READY"]).unlink()
        os.kill(watch.status("opa").pid, signal.SIGKILL)
        await watch.until(lambda seen: seen.status("opa").why == "opa ended with 4 while starting")
        (folder / "broken").unlink()
        await watch.until(lambda seen: seen.status("opa").state is ProcessState.READY)
        assert watch.status("opa").restarts >= 2


async def test_a_fault_of_the_supervisor_itself_takes_everything_down(
    scripted: Scripted, watch: Any, ends: Ends
) -> None:
    armed = False

    def explode(statuses: Sequence[Status]) -> None:
        watch(statuses)
        if armed and statuses[0].state is ProcessState.WAITING:
            raise RuntimeError("observer broke")

    up = asyncio.Event()
    task = asyncio.create_task(
        Supervisor([[scripted("a")], [scripted("b")]], explode, GRACE).run(up.set, asyncio.Event())
    )
    await asyncio.wait_for(up.wait(), 10)
    armed = True
    os.kill(watch.status("a").pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="observer broke"):
        await asyncio.wait_for(task, 10)
    assert all(ends(pid) for pid in watch.all_pids)


def test_the_first_restart_comes_at_once_and_each_next_one_waits_twice_as_long() -> None:
    backoff, delays = NEVER_DIED, []
    for _ in range(5):
        backoff = backoff.died(lived=0.5)
        delays.append(backoff.delay)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6]
    assert backoff.restarts == 5


@given(st.lists(st.floats(0, STABLE_AFTER, exclude_max=True), max_size=300))
def test_the_delay_never_leaves_its_bounds(lives: list[float]) -> None:
    backoff = NEVER_DIED
    for lived in lives:
        backoff = backoff.died(lived)
        assert FIRST_DELAY <= backoff.delay <= LAST_DELAY
    assert backoff.restarts == len(lives)


def test_a_stable_time_is_forgiving() -> None:
    backoff = NEVER_DIED
    for _ in range(20):
        backoff = backoff.died(lived=0)
    assert backoff.delay == LAST_DELAY
    forgiven = backoff.died(lived=STABLE_AFTER)
    assert forgiven.delay == FIRST_DELAY
    assert forgiven.restarts == 21
