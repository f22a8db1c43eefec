"""Clients of model providers show what a refusal says: the real SDK reads our problem documents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
import orjson
import pytest

from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.wire.problem import Refusal, problem_document
from aegis_authz.wire.status_codes import STATUS_CODES

pytestmark = pytest.mark.slow

SENTENCE = (
    'chat on openai was refused: The body names "amuont", which is not declared. Do not retry this call as it is.'
)
REASONS_SHOWN = [
    Reason.MALFORMED_CALL,
    Reason.CREDENTIAL_EXPIRED,
    Reason.POLICY_DENIED,
    Reason.BODY_TRUNCATED,
    Reason.CONTENT_ENCODED,
    Reason.APPROVALS_FULL,
    Reason.PDP_TIMEOUT,
]


@asynccontextmanager
async def refusing(reason: Reason) -> AsyncIterator[str]:
    """A server that refuses every call for this reason, as the mesh does: its address."""
    status = STATUS_CODES[reason].http
    refusal = Refusal(REASONS[reason].text, SENTENCE, status, 0, reason.value, {"reason": reason.value})
    body = problem_document(refusal)
    head = f"HTTP/1.1 {status} Refused\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + b"connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


@pytest.mark.parametrize("reason", REASONS_SHOWN, ids=lambda reason: reason.value)
async def test_the_openai_client_shows_the_sentence_and_knows_the_code(reason: Reason) -> None:
    async with (
        refusing(reason) as address,
        openai.AsyncOpenAI(api_key="none", base_url=address, max_retries=0) as client,
    ):
        with pytest.raises(openai.APIStatusError) as refused:
            await client.models.list()
    assert SENTENCE in str(refused.value)
    assert (refused.value.code, refused.value.status_code) == (reason.value, STATUS_CODES[reason].http)
    assert refused.value.type and refused.value.type.endswith(("_error", "_too_large"))


@pytest.mark.parametrize("reason", REASONS_SHOWN, ids=lambda reason: reason.value)
def test_a_document_is_a_problem_and_an_error_of_both_apis(reason: Reason) -> None:
    document = orjson.loads(
        problem_document(Refusal("Title.", SENTENCE, STATUS_CODES[reason].http, 0, reason.value, {}))
    )
    assert document["detail"] == document["error"]["message"] == SENTENCE
    assert (document["type"], document["error"]["code"]) == ("about:blank", reason.value)
