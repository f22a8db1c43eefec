"""A real OpenID provider (npm: oidc-provider), as one of the scripts beside this file configures it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.registry_clients import node_clients

_PATIENCE = 60


@asynccontextmanager
async def real_openid(script: Path, *arguments: str) -> AsyncIterator[None]:
    """Run it until the block ends. Skips the test where it cannot be had."""
    folder = await asyncio.to_thread(node_clients, "oidc-provider@9.13.3")
    process = await asyncio.create_subprocess_exec(
        *("node", str(script), *arguments),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_PATIENCE):
            while b"listening" not in (line := await process.stdout.readline()):
                assert line, "the provider ended"
        yield
    finally:
        process.kill()
        await process.wait()
