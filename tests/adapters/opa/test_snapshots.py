"""The watcher of OPA's revision, where OPA does not do what it should."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from pathlib import Path

from aegis_authz.adapters.opa.http import OpaHttp
from aegis_authz.adapters.opa.snapshots import OpaSnapshots


async def test_an_opa_that_hangs_is_told_apart_from_one_that_is_well(tmp_path: Path) -> None:
    async def hang(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        await left.wait()
        writer.close()

    left = asyncio.Event()
    snapshots = OpaSnapshots(OpaHttp(tmp_path / "opa.sock"), 0.01)
    server = await asyncio.start_unix_server(hang, tmp_path / "opa.sock")
    async with asyncio.timeout(5):
        await snapshots.look()
    assert snapshots.trouble == "OPA does not answer"
    left.set()
    server.close()
    await snapshots.close()
    await snapshots.look()
    assert snapshots.trouble.startswith("cannot connect")
