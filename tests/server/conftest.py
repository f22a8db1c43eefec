"""Lends these tests a peer of the HTTP/2 host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aegis_authz.server.http2 import frames
from tests.support.frame_peer import Dial, FramePeer


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connects to `unix:/path` or `host:port` and greets."""
    peers: list[FramePeer] = []

    async def dialled(address: str) -> FramePeer:
        kind, _, place = address.partition(":")
        opening = asyncio.open_unix_connection(place) if kind == "unix" else asyncio.open_connection(kind, int(place))
        peer = FramePeer(*await opening)
        peers.append(peer)
        peer.say(frames.PREFACE, frames.settings({frames.ENABLE_PUSH: 0}))
        return peer

    yield dialled
    for peer in peers:
        peer.close()


@pytest.fixture
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"unix:{tmp_path_factory.mktemp('host')}/authz.sock"
