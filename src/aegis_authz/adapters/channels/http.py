"""What all channels over HTTP share: bounded in time and size, redirected nowhere, and no secret in a fault."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import httpx

from aegis_authz.ports.notices import ChannelFault

_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
_AGAIN = frozenset((408, 425, 429))


class Poster:
    """Posts bodies. Every method raises ChannelFault."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        # trust_env: neither a proxy nor other credentials of this process are for strangers
        self._http = httpx.AsyncClient(transport=transport, timeout=_SECONDS, follow_redirects=False, trust_env=False)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        """Post it; returns what was answered with 2xx, cut at 64 KiB. URLs may be secrets, and are in no fault."""
        answer = bytearray()
        try:
            async with self._http.stream("POST", url, content=content, headers=dict(headers)) as response:
                if not response.is_success:
                    raise _refusal(response)
                async for chunk in response.aiter_bytes():
                    answer += chunk
                    if len(answer) > _MAX_BYTES:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as fault:
            raise ChannelFault(f"cannot be reached: {type(fault).__name__}", is_final=False) from None
        return bytes(answer[:_MAX_BYTES])

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


def _refusal(response: httpx.Response) -> ChannelFault:
    status, wait = response.status_code, 0.0
    with suppress(ValueError):
        wait = float(response.headers.get("retry-after", "0"))
    is_final = 300 <= status < 500 and status not in _AGAIN
    return ChannelFault(f"answered HTTP {status}", is_final=is_final, wait=wait)
