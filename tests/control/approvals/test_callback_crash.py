"""A control plane that is killed while it posts callbacks loses none, and posts one twice at most."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from tests.support.local_servers import serving

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).parent / "programs" / "callback_courier.py"
CALLS = 10


@dataclass
class Endpoint:
    """Takes callbacks. From the third on an answer does not come before `released`."""

    counts: Counter[str] = field(default_factory=Counter)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        content = json.loads(await request.read())
        async with self.news:
            self.counts[content["task"]["id"]] += 1
            self.news.notify_all()
        if self.counts.total() > 2:
            await self.released.wait()
        return web.Response(status=204)


async def start(folder: Path, url: str) -> asyncio.subprocess.Process:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(sys.executable, str(PROGRAM), str(folder), url, env=environment)


async def test_a_kill_while_a_callback_is_under_way_loses_none_and_doubles_one_at_most(tmp_path: Path) -> None:
    endpoint = Endpoint()
    async with serving(endpoint.handle) as base, asyncio.timeout(120):
        process = await start(tmp_path, f"{base}/callbacks")
        async with endpoint.news:
            await endpoint.news.wait_for(lambda: endpoint.counts.total() == 3)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        endpoint.released.set()
        again = await start(tmp_path, f"{base}/callbacks")
        async with endpoint.news:
            await endpoint.news.wait_for(lambda: endpoint.counts.total() == CALLS + 1)
        again.terminate()
        await again.wait()
    assert sorted(endpoint.counts.values()) == [1] * (CALLS - 1) + [2]
