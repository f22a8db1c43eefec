"""The Redis that sequences are played on: it is waited for, and one that is away is said in a sentence."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from aegis_authz.adapters.redis import store
from aegis_authz.bootstrap.lab_store import LabStore, lab_redis
from aegis_authz.lab.opa import LabError


async def test_a_redis_that_stands_still_for_a_while_is_waited_for(
    redis_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_PROBE_TIMEOUT", 0.01)
    with lab_redis(redis_binary) as address:
        own = LabStore(address)
        async with Redis.from_url(f"unix://{address}") as client:
            number = int((await client.info("server"))["process_id"])
            os.kill(number, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(0.1, os.kill, number, signal.SIGCONT)
            await own.forget()
            assert await client.dbsize() > 0
        await own.close()


async def test_a_redis_that_is_away_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    own = LabStore(tmp_path / "r.sock")
    with pytest.raises(LabError, match="the Redis of the sequences cannot be used"):
        await own.forget()
    await own.close()
