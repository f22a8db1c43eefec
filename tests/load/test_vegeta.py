"""Plans in vegeta's words, how it is run, and real loads on a small server."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aegis_authz.load.calls import DENIED, Call, mixed, write_targets
from aegis_authz.load.vegeta import LoadFailed, Plan, attack

FAKE = """#!/bin/sh
echo "$@" >> "$0.calls"
echo "${{HTTP_PROXY-none}}" >> "$0.proxies"
for word in "$@"; do case "$word" in -output=*) out="${{word#-output=}}";; esac; done
{then}
"""
RESULTS = """if test "$1" = encode; then printf '%s' "{lines}" > "$out"; fi"""


def fake(tmp_path: Path, then: str) -> Path:
    """A vegeta that notes how it was called and does what it is told."""
    program = tmp_path / "vegeta"
    program.write_text(FAKE.format(then=then))
    program.chmod(0o755)
    return program


def test_a_closed_loop_has_as_many_calls_on_their_way_as_connections() -> None:
    plan = Plan(None, 2.5, 16)
    assert set(plan.arguments()) == {
        "-duration=2500ms",
        "-workers=16",
        "-max-workers=16",
        "-connections=16",
        "-rate=0",
    }
    assert plan.interval == 0


def test_an_open_loop_is_bounded_by_its_rate_alone() -> None:
    plan = Plan(12.5, 4, 16)
    assert plan.arguments() == ["-duration=4000ms", "-workers=16", "-rate=750/1m"]
    assert plan.interval == pytest.approx(0.08)


@pytest.mark.parametrize("wrong", [(None, 0, 1), (None, 1, 0), (0, 1, 1), (-5, 1, 1), (0.001, 1, 1)])
def test_what_cannot_be_sent_is_no_plan(wrong: tuple[float | None, float, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Plan(*wrong)


async def test_results_are_read_from_what_vegeta_encodes(tmp_path: Path) -> None:
    lines = "1000,200,5000000,0,0,,,,0,POST,http://h/#200,\n"
    vegeta = fake(tmp_path, RESULTS.format(lines=lines))
    seen = await attack(vegeta, tmp_path / "targets", Plan(None, 1, 1))
    assert (seen.right, seen.latencies) == (1, (0.005,))
    attacked, encoded = (tmp_path / "vegeta.calls").read_text().splitlines()
    assert attacked.startswith(f"attack -format=json -lazy -targets={tmp_path}/targets ")
    assert "-redirects=-1" in attacked
    assert encoded.startswith("encode -to=csv ")


async def test_a_proxy_of_the_environment_does_not_come_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    await attack(fake(tmp_path, RESULTS.format(lines="")), tmp_path / "t", Plan(None, 1, 1))
    assert set((tmp_path / "vegeta.proxies").read_text().split()) == {"none"}


async def test_what_vegeta_complains_of_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="vegeta attack ended with 3: no such target"):
        await attack(fake(tmp_path, "echo no such target >&2; exit 3"), tmp_path / "t", Plan(None, 1, 1))


async def test_results_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="cannot be read"):
        await attack(fake(tmp_path, RESULTS.format(lines="nonsense\n")), tmp_path / "t", Plan(None, 1, 1))


async def test_nothing_is_left_running_when_the_load_is_cancelled(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    os.mkfifo(note)
    vegeta = fake(tmp_path, f'echo $$ > "{note}"; exec sleep 60')
    task = asyncio.create_task(attack(vegeta, tmp_path / "t", Plan(None, 1, 1)))
    pid = int(await asyncio.to_thread(note.read_text))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert stat.S_ISFIFO(note.stat().st_mode)


class Server:
    """A server that answers 403 to a body with "no" in it and 200 to all else, and can stand still for a while."""

    def __init__(self) -> None:
        self.hosts: set[bytes] = set()
        self.paths: set[bytes] = set()
        self._stalls: tuple[float, float] | None = None

    def stall(self, after: float, seconds: float) -> None:
        """From so many seconds after the first request on, everything stands still once, for that long."""
        self._stalls = (after, seconds)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                self._note(head)
                status = b"403 No" if b"no" in body else b"200 OK"
                writer.write(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _note(self, head: bytes) -> None:
        self.paths.add(head.split(b" ", 2)[1])
        self.hosts.add(head.lower().split(b"host: ")[1].split(b"\r\n")[0])
        if self._stalls is None:
            return
        after, seconds = self._stalls
        if after > 0:
            loop = asyncio.get_running_loop()
            # the whole loop is held, as by a garbage collection
            loop.call_later(after, time.sleep, seconds)
        self._stalls = None


@asynccontextmanager
async def served(server: Server) -> AsyncIterator[str]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


@pytest.mark.slow
async def test_a_real_load_sends_each_target_once_and_judges_each_answer(vegeta: Path, tmp_path: Path) -> None:
    server, targets = Server(), tmp_path / "t"
    calls = mixed(Call("/pay", host="bank.example", body=b"yes"), Call("/pay", DENIED, host="bank.example", body=b"no"))
    async with served(server) as base:
        write_targets(targets, base, calls, map(str, range(400)))
        seen = await attack(vegeta, targets, Plan(None, 10, 8))
    assert (seen.sent, seen.right, seen.wrong, seen.failed) == (400, 400, 0, 0)
    assert seen.seconds < 9
    assert server.paths == {b"/pay"}
    assert server.hosts == {b"bank.example"}


@pytest.mark.slow
async def test_a_wrong_allow_of_a_real_server_is_seen(vegeta: Path, tmp_path: Path) -> None:
    async with served(Server()) as base:
        write_targets(tmp_path / "t", base, mixed(Call("/", body=b"y"), Call("/", DENIED, body=b"y")), ["a"] * 40)
        seen = await attack(vegeta, tmp_path / "t", Plan(200, 10, 4))
    assert (seen.right, seen.wrong) == (38, 2)


@pytest.mark.slow
async def test_a_server_that_stands_still_cannot_hide_it(vegeta: Path, tmp_path: Path) -> None:
    server = Server()
    server.stall(after=0.5, seconds=0.2)
    async with served(server) as base:
        write_targets(tmp_path / "t", base, [Call("/", body=b"y")], ["a"] * 500)
        seen = await attack(vegeta, tmp_path / "t", Plan(250, 1.6, 4))
    assert seen.wrong == seen.failed == 0
    # of 400 calls in 1.6 s, those of 0.2 s were held up, by 0 to 200 ms
    assert seen.quantile(0.99) > 150
    assert seen.quantile(0.95) > 80
