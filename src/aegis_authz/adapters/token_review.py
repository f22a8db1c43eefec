"""Clusters of Kubernetes that are asked whether a service-account token is good (TokenReview).

Source: `TokenReview` of authentication.k8s.io/v1. The cluster knows what no key tells: that the pod or the account a
token was bound to is gone.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.ports.control_plane import ReviewUnavailable

_SECONDS = 5.0
_MAX_BYTES = 64 * 1024
_MAX_TOKEN_BYTES = 16_384
_PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
_ANSWERS = (200, 201)


@dataclass(frozen=True, slots=True)
class Cluster:
    """An API server: its URL, the file of our own token there, and that of its certificate authorities, if any."""

    api: str
    token: Path
    authorities: Path | None


class HttpTokenReviews:
    """`ports.TokenReviews` over HTTP."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        """Raises OSError for a file of authorities that is none."""
        self._clusters = clusters
        self._clients = {name: _client(cluster) for name, cluster in clusters.items()}

    async def user(self, cluster: str, token: str, audience: str) -> str:
        """Whose token it is by that cluster, "" when it is not good there. Raises ReviewUnavailable."""
        place = self._clusters.get(cluster)
        if place is None:
            raise ReviewUnavailable(f"the settings of the control plane name no cluster {cluster}")
        url = f"{place.api.rstrip('/')}{_PATH}"
        try:
            async with asyncio.timeout(_SECONDS):
                content = await _answer(self._clients[cluster], url, _own_token(place.token), _review(token, audience))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, OSError, ValueError) as fault:
            raise ReviewUnavailable(f"{url}: {str(fault) or type(fault).__name__}") from None
        try:
            return _user(strict_json.parse_object(content), audience)
        except (Refused, ValueError) as fault:
            raise ReviewUnavailable(f"{url}: not a TokenReview: {fault}") from None

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()


def _client(cluster: Cluster) -> httpx.AsyncClient:
    try:
        context = ssl.create_default_context(cafile=cluster.authorities)
    except OSError as fault:  # that of ssl names no file
        raise OSError(f"{cluster.authorities}: no certificate authorities: {fault.strerror or fault}") from None
    return httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False, verify=context)


def _own_token(path: Path) -> str:
    """As it is now: the platform replaces it before it ends."""
    with path.open("rb") as file:
        token = file.read(_MAX_TOKEN_BYTES).decode("ascii", "replace").strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(f"{path}: holds no token")
    return token


def _review(token: str, audience: str) -> bytes:
    spec = {"token": token, "audiences": [audience]}
    return orjson.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec})


async def _answer(client: httpx.AsyncClient, url: str, own_token: str, review: bytes) -> bytes:
    headers = {
        "authorization": f"Bearer {own_token}",
        "content-type": "application/json",
        "accept": "application/json",
        "accept-encoding": "identity",
    }
    async with client.stream("POST", url, content=review, headers=headers) as answer:
        if answer.status_code not in _ANSWERS:
            raise ReviewUnavailable(f"{url}: HTTP {answer.status_code}")
        content = bytearray()
        async for chunk in answer.aiter_raw():
            content += chunk
            if len(content) > _MAX_BYTES:
                raise ReviewUnavailable(f"{url}: answers more than {_MAX_BYTES} bytes")
        return bytes(content)


def _user(review: Mapping[str, Json], audience: str) -> str:
    status = review.get("status")
    if review.get("kind") != "TokenReview" or not isinstance(status, Mapping):
        raise ValueError("no TokenReview with a status")
    if status.get("authenticated") is not True:
        return ""
    audiences, user = status.get("audiences"), status.get("user")
    name = user.get("username") if isinstance(user, Mapping) else None
    if not isinstance(name, str) or not name:
        raise ValueError("an authenticated token of nobody")
    # a server that knows no audiences names none, and has not looked at ours
    return name if isinstance(audiences, list) and audience in audiences else ""
