"""How each process of the mesh says that it is ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from aegis_authz.local.process import Ready

_TIMEOUT = 1.0


def redis_answers(socket: Path) -> Ready:
    """Ready when Redis answers PING on its socket."""

    async def look() -> str:
        try:
            async with asyncio.timeout(_TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(str(socket))
                writer.write(b"PING\r\n")
                answer = await reader.readline()
                writer.close()
        except (OSError, TimeoutError) as fault:
            return f"does not answer: {type(fault).__name__}"
        return "" if answer == b"+PONG\r\n" else answer.decode("utf-8", "replace").strip()

    return look


def http_answers(url: str, socket: Path | None) -> Ready:
    """Ready when GET `url` gives 200, over a unix socket when one is named."""

    async def look() -> str:
        transport = httpx.AsyncHTTPTransport(uds=str(socket)) if socket is not None else None
        try:
            async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=_TIMEOUT) as client:
                response = await client.get(url)
        except httpx.HTTPError as fault:
            return f"does not answer: {type(fault).__name__}"
        return "" if response.status_code == 200 else f"answers {response.status_code}: {response.text[:300]}"

    return look
