"""A whole mesh comes and goes: stopped by each signal, healed, remembered, and never half there."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.local.documents import example_documents
from aegis_authz.local.mesh_facts import is_running, left_facts, read_facts
from aegis_authz.local.servers import find_opa

SECONDS = 40.0
PROCESSES = {"redis", "control", "opa", "authz-0", "certificates", "envoy"}


def folders() -> list[str]:
    examples = example_documents()
    return ["--policies", str(examples / "agents"), "--tools", str(examples / "tools"), "--workers", "1"]


@asynccontextmanager
async def aegis(*arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "aegis_authz.cli", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """What it printed, once it has ended."""
    printed, complained = await asyncio.wait_for(process.communicate(), SECONDS)
    return printed.decode(), complained.decode()


async def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    async with aegis(*arguments, **environment) as process:
        printed, complained = await said(process)
        return process.returncode or 0, printed, complained


async def line_with(stream: asyncio.StreamReader | None, words: str) -> None:
    assert stream is not None
    async with asyncio.timeout(SECONDS):
        while words not in (line := (await stream.readline()).decode()):
            assert line, f"it ended without saying {words!r}"


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not is_so():
            await asyncio.sleep(0.05)


async def healthy(state: Path) -> None:
    """Wait until `aegis status` finds nothing: authorizers look at OPA once in a while, not when it is back."""
    printed = ""
    try:
        async with asyncio.timeout(SECONDS):
            code = 1
            while code != 0:
                code, printed, _ = await run("status", "--dir", str(state))
    except TimeoutError:
        raise AssertionError(f"not healthy within {SECONDS} s: {printed}") from None


def processes_of(state: Path) -> list[str]:
    """The command lines, of whatever process, that name this state folder or its sockets."""
    note = state / "run"
    names = [str(state).encode(), *([note.read_bytes()] if note.exists() else [])]
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if any(name in command for name in names):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def assert_nothing_is_left(state: Path) -> None:
    assert not is_running(state)
    assert processes_of(state) == []
    assert left_facts(state) is None
    assert not (state / "run").exists()


SIGNALS = [
    pytest.param(signal.SIGTERM, id="SIGTERM"),
    *(pytest.param(number, id=number.name, marks=pytest.mark.slow) for number in (signal.SIGINT, signal.SIGHUP)),
]


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_mesh_in_the_foreground_ends_by_a_signal_and_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    state = tmp_path / "a mesh"
    async with aegis("up", "--dir", str(state), *folders(), "--json") as process:
        await line_with(process.stdout, '"supervisor"')
        facts = read_facts(state)
        assert set(facts.pids) == PROCESSES
        assert facts.supervisor == process.pid
        process.send_signal(number)
        await said(process)
        assert process.returncode == 0
    assert_nothing_is_left(state)
    assert not Path(facts.run).exists()


async def test_a_mesh_heals_keeps_its_ports_and_is_down_when_it_is_said_to_be(tmp_path: Path) -> None:
    state = tmp_path / "a mesh"
    code, printed, complained = await run("up", "--detach", "--dir", str(state), *folders(), "--json")
    assert code == 0, complained
    facts = json.loads(printed)
    os.kill(facts["pids"]["opa"], signal.SIGKILL)
    await until(lambda: _opa(state)["restarts"] == 1 and _opa(state)["state"] == "ready")
    assert _opa(state)["pid"] == read_facts(state).pids["opa"] != facts["pids"]["opa"]
    assert _opa(state)["why"] == "was ended by SIGKILL"
    await healthy(state)
    os.kill(_opa(state)["pid"], signal.SIGSTOP)
    code, printed, _ = await run("status", "--dir", str(state), "--json")
    assert (code, json.loads(printed)["healthy"]) == (1, False)
    assert (await run("down", "--dir", str(state)))[0] == 0
    assert_nothing_is_left(state)

    code, printed, complained = await run("up", "--detach", "--dir", str(state), *folders(), "--json")
    assert code == 0, complained
    again = json.loads(printed)
    for endpoint in ("proxy", "reverse", "control", "metrics", "evaluation", "probe"):
        assert again[endpoint] == facts[endpoint]
    changes = json.loads((await run("policy", "status", "--dir", str(state), "--json"))[1])["changes"]
    assert [change["kind"] for change in changes] == ["first"]
    assert (await run("down", "--dir", str(state)))[0] == 0
    assert_nothing_is_left(state)


def _opa(state: Path) -> dict[str, Any]:
    return next(asdict(process) for process in read_facts(state).processes if process.name == "opa")


ENDS = [pytest.param([], id="foreground", marks=pytest.mark.slow), pytest.param(["--detach"], id="detached")]


@pytest.mark.parametrize("more", ENDS)
async def test_a_server_that_ends_at_once_is_told_with_its_log_and_nothing_is_left(
    tmp_path: Path, more: list[str]
) -> None:
    broken, state = tmp_path / "opa", tmp_path / "mesh"
    broken.write_text(f'#!/bin/sh\n[ "$1" = version ] && exec {find_opa()} version\necho "no rules here" >&2\nexit 3\n')
    broken.chmod(0o755)
    code, _, complained = await run("up", *more, "--dir", str(state), *folders(), AEGIS_OPA_BIN=str(broken))
    assert code == 1
    assert "aegis up: opa ended with 3 while starting:\nno rules here\n" in complained
    assert "Traceback" not in complained
    assert_nothing_is_left(state)


@pytest.mark.slow
async def test_a_detached_mesh_hears_a_signal_that_was_ignored_where_it_was_started(tmp_path: Path) -> None:
    broken, state = tmp_path / "opa", tmp_path / "mesh"
    script = (
        f'#!/bin/sh\n[ "$1" = version ] && exec {find_opa()} version\ngrep ^SigIgn: /proc/$PPID/status >&2\nexit 3\n'
    )
    broken.write_text(script)
    broken.chmod(0o755)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        _, _, complained = await run("up", "--detach", "--dir", str(state), *folders(), AEGIS_OPA_BIN=str(broken))
    finally:
        signal.signal(signal.SIGHUP, before)
    mask = complained.split("SigIgn:")[1].split()[0]
    assert int(mask, 16) & 1 << signal.SIGHUP - 1 == 0


async def test_a_missing_server_says_how_to_get_it(tmp_path: Path) -> None:
    state = tmp_path / "a mesh"
    code, _, complained = await run(
        "up", "--detach", "--dir", str(state), *folders(), AEGIS_OPA_BIN=str(tmp_path / "no")
    )
    assert code == 1
    assert "make setup" in complained
    assert_nothing_is_left(state)


async def test_interrupting_a_detached_start_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "a mesh"
    async with aegis("up", "--detach", "--dir", str(state), *folders()) as process:
        await line_with(process.stderr, "redis is ready")
        process.send_signal(signal.SIGINT)
        await said(process)
        assert process.returncode != 0
    assert_nothing_is_left(state)
