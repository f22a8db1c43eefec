"""A control plane that is killed while it tells people of held calls loses none, and tells one twice at most."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.local_servers import SlackServer, serving

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "courier.py"
CALLS = 10


async def start(folder: Path, url: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), str(folder), url, env=environment)


class Counting(SlackServer):
    """Counts messages by the approval they are about."""

    def counts(self) -> Counter[str]:
        texts = [str(message["blocks"]) for message in self.posted]
        names = [f"apr_{number:034x}" for number in range(CALLS)]
        return Counter(next(name for name in names if name in text) for text in texts)


@pytest.mark.parametrize("after", [1, 4, 9])
async def test_a_kill_while_a_message_is_under_way_loses_none_and_doubles_one_at_most(
    tmp_path: Path, after: int
) -> None:
    server = Counting()
    async with serving(server.handle) as url, asyncio.timeout(60):
        process = await start(tmp_path, url)
        async with server.news:
            await server.news.wait_for(lambda: len(server.posted) >= after - 1)
        server.released = asyncio.Event()  # from now on a message is taken, and its answer does not come
        server.begun.clear()
        await server.begun.wait()
        process.send_signal(signal.SIGKILL)
        await process.wait()
        server.released.set()
        again = await start(tmp_path, url)
        async with server.news:
            await server.news.wait_for(lambda: len(server.counts()) == CALLS)
        again.terminate()
        await again.wait()
    counts = server.counts()
    assert set(counts) == {f"apr_{number:034x}" for number in range(CALLS)}
    assert sorted(counts.values())[:-1] == [1] * (CALLS - 1)
    assert counts.most_common(1)[0][1] <= 2
