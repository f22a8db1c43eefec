"""Starts the processes of contenders, and ends them by id."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from aegis_authz.bench.calls import Call, Signer

_PATIENCE = 20.0
_PAUSE = 0.1
_GRACE = 5.0


class NotUp(Exception):
    """A contender does not answer as it must; the message says what it did, and where its log is."""


@asynccontextmanager
async def process(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """Run a command while the block lasts; gives its pid."""
    with log.open("wb") as written:
        child = subprocess.Popen(  # noqa: ASYNC220  # started at once, waited for elsewhere
            list(command), stdout=written, stderr=written, env={**os.environ, **environment}
        )
    try:
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(_GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


async def proven(name: str, url: str, signer: Signer, expected: Sequence[tuple[Call, int]], log: Path) -> None:
    """Call through `url` until every call is answered with its status; the first may need time. Raises NotUp."""
    tokens = signer.tokens(f"proof-{os.urandom(8).hex()}", time.time())
    give_up = time.monotonic() + _PATIENCE
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as client:
        for call, status in expected:
            seen = 0
            while seen != status:
                if time.monotonic() > give_up:
                    raise NotUp(f"{name} answers {call.path} with {seen}, not {status}; see {log}")
                seen = await _status(client, call, next(tokens))
                if seen != status:
                    await asyncio.sleep(_PAUSE)


async def _status(client: httpx.AsyncClient, call: Call, token: str) -> int:
    headers = {"host": call.host, "content-type": "application/json", "x-aegis-token": token}
    try:
        return (await client.post(call.path, content=call.body, headers=headers)).status_code
    except httpx.HTTPError:
        return 0
