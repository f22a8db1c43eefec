"""What receivers over HTTP share: bounded in time and size, redirected nowhere, no secret in a fault."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from contextlib import suppress

import httpx

from aegis_authz.ports.receiver import DeliveryFault

_SECONDS = 10.0
_MAX_BYTES = 64 * 1024
_AGAIN = frozenset((401, 403, 408, 425, 429))
"""Refusals that end: a token is mended, a crowd passes. Everything else of 4xx is about the events."""


class HttpPoster:
    """Posts bodies to one receiver."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        # trust_env: neither a proxy nor other credentials of this process are for a receiver
        verify: ssl.SSLContext | bool = True if tls is None else tls
        self._http = httpx.Client(timeout=_SECONDS, follow_redirects=False, trust_env=False, verify=verify)

    def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> bytes:
        """Post it; returns what was answered with 2xx. Raises DeliveryFault."""
        answer = bytearray()
        try:
            with self._http.stream("POST", url, content=content, headers=dict(headers)) as response:
                for chunk in response.iter_bytes():
                    answer += chunk
                    if len(answer) > _MAX_BYTES:
                        raise DeliveryFault("answered more than 64 KiB", is_final=False)
                if not response.is_success:
                    raise _refusal(response, bytes(answer))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as fault:
            raise DeliveryFault(f"cannot be reached: {type(fault).__name__}", is_final=False) from None
        return bytes(answer)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def _refusal(response: httpx.Response, answer: bytes) -> DeliveryFault:
    status, wait = response.status_code, 0.0
    with suppress(ValueError):
        wait = min(300.0, max(0.0, float(response.headers.get("retry-after", "0"))))
    words = "".join(char for char in answer[:200].decode("utf-8", "replace") if char.isprintable())
    is_final = 400 <= status < 500 and status not in _AGAIN
    return DeliveryFault(f"answered HTTP {status}{': ' * bool(words)}{words}", is_final, wait)
