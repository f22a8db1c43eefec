"""Bodies of requests, read whole in bounded room and time."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

_SECONDS = 5.0


class NotWhole(Exception):
    """There is no whole body: `status` is that of HTTP, the message a sentence to answer with."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def whole_body(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes. Raises NotWhole: 413 for too large, 408 for slow, 400 for broken off."""
    pieces: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise NotWhole(413, "The body is larger than is read.")
                pieces.append(piece)
    except TimeoutError:
        raise NotWhole(408, "The body did not come in time.") from None
    except ClientDisconnect:
        raise NotWhole(400, "The body did not come whole.") from None
    return b"".join(pieces)
