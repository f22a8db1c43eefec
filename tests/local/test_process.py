from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis_authz.local.process import Process, ProcessSpec

Scripted = Callable[..., ProcessSpec]
Ends = Callable[..., bool]


async def start(spec: ProcessSpec) -> Process:
    process = await Process.start(spec, time.monotonic())
    async with asyncio.timeout(10):
        while await spec.ready():
            assert process.exit_code is None, process.log_tail()
            await asyncio.sleep(0.005)
    return process


async def test_a_process_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(scripted: Scripted) -> None:
    process = await start(scripted("one"))
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    await process.stop(5)


async def test_a_polite_process_ends_by_sigterm(scripted: Scripted) -> None:
    process = await start(
        scripted("polite", "trap 'echo bye; exit 7' TERM; touch $READY; while :; do sleep 0.01; done")
    )
    await process.stop(5)
    assert process.exit_code == 7
    assert process.log_tail().endswith("bye")


async def test_a_stubborn_process_is_killed_after_the_grace(scripted: Scripted) -> None:
    process = await start(scripted("stubborn", "trap '' TERM; touch $READY; while :; do sleep 0.01; done"))
    await process.stop(0.1)
    assert process.exit_code == -signal.SIGKILL


async def test_a_frozen_process_is_stopped_too(scripted: Scripted) -> None:
    process = await start(scripted("frozen"))
    os.kill(process.pid, signal.SIGSTOP)
    await process.stop(5)
    assert process.exit_code == -signal.SIGTERM


@pytest.mark.parametrize("way", ["stopped", "ended by itself"])
async def test_what_a_process_started_goes_with_it(scripted: Scripted, ends: Ends, tmp_path: Path, way: str) -> None:
    script = "(trap '' TERM; while :; do sleep 0.01; done) & echo $! > $FOLDER/child; touch $READY; "
    process = await start(scripted("parent", script + ("exec sleep 600" if way == "stopped" else "exit 3")))
    child = int((tmp_path / "child").read_text())
    await (process.stop(5) if way == "stopped" else process.wait())
    assert ends(child)


async def test_stopping_twice_is_harmless(scripted: Scripted) -> None:
    process = await start(scripted("once"))
    await process.stop(5)
    await process.stop(5)
    assert process.exit_code == -signal.SIGTERM


async def test_the_log_tail_holds_this_run_alone_and_no_more_than_its_end(scripted: Scripted) -> None:
    spec = scripted("chatty", "touch $READY; echo $RUN; exit 0", environment={"RUN": "first"})
    await (await Process.start(spec, 0)).wait()
    long = scripted(
        "chatty", "touch $READY; head -c 9000 /dev/zero | tr '\\0' x; echo; echo $RUN", environment={"RUN": "second"}
    )
    process = await Process.start(long, 0)
    await process.wait()
    tail = process.log_tail()
    assert "first" not in tail
    assert tail.endswith("x\nsecond")
    assert len(tail) <= 4096
    assert "first" in spec.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM])
async def test_a_process_hears_the_signals_that_were_ignored_or_blocked_where_it_was_started(
    scripted: Scripted, number: signal.Signals
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [number])
    try:
        process = await start(scripted("hearing"))
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
        signal.signal(number, before)
    os.kill(process.pid, number)
    async with asyncio.timeout(10):
        assert await process.wait() == -number


async def test_a_binary_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async def never() -> str:
        return "no"

    spec = ProcessSpec("ghost", (str(tmp_path / "ghost"),), {}, tmp_path / "ghost.log", never, 1)
    with pytest.raises(FileNotFoundError):
        await Process.start(spec, 0)


async def test_no_secret_of_ours_is_on_its_standard_input(scripted: Scripted) -> None:
    process = await start(scripted("reader", "cat; touch $READY"))
    assert await process.wait() == 0


PARENT = """
import asyncio, sys, time
from pathlib import Path
from aegis_authz.local.process import Process, ProcessSpec

async def never():
    return "no"

async def main():
    script = "trap '' TERM HUP INT; echo up; while :; do sleep 0.01; done"
    spec = ProcessSpec("child", ("/bin/sh", "-c", script), {}, Path(sys.argv[1]), never, 1)
    process = await Process.start(spec, 0)
    print(process.pid, flush=True)
    await process.wait()

asyncio.run(main())
"""


async def test_a_process_dies_with_us_even_when_we_are_killed(tmp_path: Path, ends: Ends) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 20))
    parent.kill()
    await parent.wait()
    assert ends(child)
