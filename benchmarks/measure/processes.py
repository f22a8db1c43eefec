"""Starts the processes of contenders, and ends them by id."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from aegis_authz.core.units import Epoch
from aegis_authz.load.calls import Call, Due, Signer

_PATIENCE = 20.0
_PAUSE = 0.1
_GRACE = 5.0
_LAST_WORDS = 2000  # characters: the log is gone with its folder when the message is read


class NotUp(Exception):
    """A contender does not answer as it must; the message says what it did, and the end of its log."""


@asynccontextmanager
async def process(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> AsyncIterator[int]:
    """Run a command while the block lasts; gives its pid."""
    with log.open("wb") as log_file:
        child = subprocess.Popen(  # noqa: ASYNC220  # started at once, waited for elsewhere
            list(command), stdout=log_file, stderr=log_file, env={**os.environ, **environment}
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


async def proven(name: str, url: str, signer: Signer, calls: Sequence[Call], log: Path) -> None:
    """Call through `url` until every call is answered as it is due; the first may need time. Raises NotUp."""
    tokens = signer.tokens(f"proof-{os.urandom(8).hex()}", Epoch(time.time()))
    give_up = time.monotonic() + _PATIENCE
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as client:
        for call in calls:
            answer = await _answer(client, call, next(tokens))
            while not _is_right(answer, call.due):
                if time.monotonic() > give_up:
                    raise NotUp(f"{name}: {_text(answer)} where {_text(call.due)} is due{_last_words(log)}")
                await asyncio.sleep(_PAUSE)
                answer = await _answer(client, call, next(tokens))


def _last_words(log: Path) -> str:
    try:
        words = log.read_text("utf-8", "replace").strip()[-_LAST_WORDS:]
    except OSError:
        return ""
    return f":\n{words}" if words else ""


async def until_ready(ready: Callable[[], Awaitable[None]], fault: type[Exception]) -> None:
    """Ask a server whether it is ready until it is. Raises its last fault when it takes too long."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return await ready()
        except fault:
            if time.monotonic() > give_up:
                raise
        await asyncio.sleep(_PAUSE)


def _is_right(answer: Due, due: Due) -> bool:
    return answer.status == due.status and (not due.reason or answer.reason in ("", due.reason))


def _text(answer: Due) -> str:
    return f"HTTP {answer.status} {answer.reason}".rstrip() if answer.status else "no answer"


async def _answer(client: httpx.AsyncClient, call: Call, token: str) -> Due:
    headers = {"host": call.host, "content-type": "application/json", "x-aegis-token": token}
    try:
        response = await client.post(call.path, content=call.body, headers=headers)
    except httpx.HTTPError:
        return Due(0)
    return Due(response.status_code, _reason(response))


def _reason(response: httpx.Response) -> str:
    try:
        members = response.json()
    except ValueError:
        return ""
    return str(members.get("reason", "")) if isinstance(members, dict) else ""
