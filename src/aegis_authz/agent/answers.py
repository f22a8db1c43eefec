"""The body of an HTTP answer: all of it, or none."""

from __future__ import annotations

import aiohttp

MOST_BYTES = 64 * 1024
"""More than the control plane ever answers an agent."""


class AnswerTooLong(Exception):
    """An answer goes on beyond what any may have; the message says how much that is."""


async def whole_body(response: aiohttp.ClientResponse) -> bytes:
    """The body, in however many pieces it comes. Raises AnswerTooLong beyond `MOST_BYTES`, and what aiohttp raises."""
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            raise AnswerTooLong(f"more than {MOST_BYTES} bytes")
    return bytes(body)
