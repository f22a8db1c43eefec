"""What an Envoy of this machine says on its admin socket."""

from __future__ import annotations

from pathlib import Path

import httpx

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

_TIMEOUT = 5.0


class EnvoyUnreadable(Exception):
    """Envoy does not answer on its admin socket, or not with JSON."""


async def read_admin(socket: Path, path: str) -> Json:
    """What `GET path` answers. Raises EnvoyUnreadable."""
    transport = httpx.AsyncHTTPTransport(uds=str(socket))
    try:
        async with httpx.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False) as client:
            response = await client.get(f"http://envoy{path}")
            response.raise_for_status()
        return strict_json.parse(response.content)
    except (httpx.HTTPError, OSError) as fault:
        raise EnvoyUnreadable(f"{socket} does not answer: {fault or type(fault).__name__}") from None
    except Refused as refusal:
        raise EnvoyUnreadable(f"{socket} answers no JSON: {refusal.detail}") from None
