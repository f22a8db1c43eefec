"""Answers that come in pieces, that stop in the middle, or that never end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from aegis_authz.agent.answers import MOST_BYTES
from aegis_authz.agent.enrolment import EnrolmentFault
from aegis_authz.agent.enrolment_endpoint import enrol
from aegis_authz.agent.mesh import mesh_session
from aegis_authz.agent.token_endpoint import TokenEndpoint
from aegis_authz.agent.tokens import TokenFault
from tests.support.agent_mesh import AGENT, new_key, proof_key

TOKEN = json.dumps({"access_token": "a" * 2000, "token_type": "DPoP", "expires_in": 300}).encode()
ENROLMENT = json.dumps(
    {
        "agent": str(AGENT),
        "token_endpoint": "http://127.0.0.1/v1/token",
        "issuer": "aegis",
        "audience": "aegis-mesh",
        "mesh": {"forward_proxy": "", "reverse": ""},
    }
).encode()
LONG = [b" " * 1024] * (MOST_BYTES // 1024 + 1)


@asynccontextmanager
async def answering(pieces: Iterable[bytes], length: int | None = None) -> AsyncIterator[str]:
    """A control plane that answers everything with these pieces, each by itself, and then hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        sizes = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        await reader.readexactly(int(sizes[0]))
        said = b"" if length is None else b"content-length: %d\r\n" % length
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n" + said + b"\r\n")
        for piece in pieces:
            await writer.drain()
            await asyncio.sleep(0)  # so that the other side reads what is there
            writer.write(piece)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_an_answer_in_many_pieces_is_read_to_its_end() -> None:
    async with mesh_session() as session:
        async with answering([TOKEN[at : at + 50] for at in range(0, len(TOKEN), 50)]) as url:
            token = await TokenEndpoint(session, f"{url}/v1/token", AGENT, proof_key(new_key())).obtain()
        async with answering([ENROLMENT[at : at + 5] for at in range(0, len(ENROLMENT), 5)]) as url:
            enrolment = await enrol(session, url, "code", proof_key(new_key()))
    assert (len(token.text), enrolment.agent) == (2000, str(AGENT))


async def test_an_answer_that_never_ends_is_cut_off_and_said_to_be_too_long() -> None:
    async with mesh_session() as session, answering(LONG) as url:
        with pytest.raises(TokenFault, match=f"answered more than {MOST_BYTES} bytes"):
            await TokenEndpoint(session, f"{url}/v1/token", AGENT, proof_key(new_key())).obtain()
        with pytest.raises(EnrolmentFault, match=f"answered more than {MOST_BYTES} bytes"):
            await enrol(session, url, "code", proof_key(new_key()))


async def test_an_answer_that_stops_in_the_middle_is_none() -> None:
    async with mesh_session() as session, answering([TOKEN[:100]], len(TOKEN)) as url:
        with pytest.raises(TokenFault, match="does not answer"):
            await TokenEndpoint(session, f"{url}/v1/token", AGENT, proof_key(new_key())).obtain()
