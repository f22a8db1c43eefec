"""The public keys of another issuer, fetched over HTTP: bounded in time and size, redirected nowhere.

Source of discovery: OpenID Connect Discovery 1.0, sections 4.1 to 4.3.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from aegis_authz.adapters.elsewhere import ElsewhereTransport, Resolver, bounded_content, resolve
from aegis_authz.core.address import says_loopback
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.verifying_key import VerifyingKey, verifying_key
from aegis_authz.ports.control_plane import KeysUnavailable

_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_MOST_KEYS = 100
WELL_KNOWN = "/.well-known/openid-configuration"
"""Where an issuer says of itself where it is asked."""


class HttpKeySets:
    """`ports.KeySets` over HTTP."""

    def __init__(self, resolver: Resolver = resolve) -> None:
        # trust_env: neither a proxy nor other credentials of this process are for strangers
        self._http = httpx.AsyncClient(
            transport=ElsewhereTransport(resolver), timeout=_SECONDS, follow_redirects=False, trust_env=False
        )

    async def fetch(self, url: str) -> tuple[VerifyingKey, ...]:
        """The keys of the set at this URL that can verify anything here. Raises KeysUnavailable."""
        data = await self._object(url, "a JWK set")
        try:
            return _keys(data)
        except ValueError as fault:
            raise KeysUnavailable(f"{url}: not a JWK set: {fault}") from None

    async def discover(self, issuer: str) -> str:
        """The URL of its keys, as the issuer itself says it. Raises KeysUnavailable."""
        url = f"{issuer.rstrip('/')}{WELL_KNOWN}"
        data = await self._object(url, "an OpenID configuration")
        if data.get("issuer") != issuer:
            raise KeysUnavailable(f"{url}: is the configuration of another issuer")
        keys_url = data.get("jwks_uri")
        if not isinstance(keys_url, str) or not is_as_private(keys_url, issuer):
            raise KeysUnavailable(f"{url}: jwks_uri is no https:// URL of a host")
        return keys_url

    async def _object(self, url: str, kind: str) -> Mapping[str, Json]:
        try:
            async with asyncio.timeout(_SECONDS):
                content = await self._content(url)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, OSError, ValueError) as fault:
            raise KeysUnavailable(f"{url}: {str(fault) or type(fault).__name__}") from None
        try:
            return strict_json.parse_object(content)
        except Refused as fault:
            raise KeysUnavailable(f"{url}: not {kind}: {fault.detail}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _content(self, url: str) -> bytes:
        headers = {"accept": "application/jwk-set+json, application/json", "accept-encoding": "identity"}
        async with self._http.stream("GET", url, headers=headers) as answer:
            if answer.is_redirect:
                raise KeysUnavailable(f"{url}: redirects elsewhere, and is not followed")
            if answer.status_code != 200:
                raise KeysUnavailable(f"{url}: HTTP {answer.status_code}")
            return await bounded_content(answer, _MAX_BYTES)


def is_as_private(url: str, issuer: str) -> bool:
    """Whether the URL is https, or stays on loopback as its issuer does: one elsewhere sends us to no place of ours.

    A name that leads to loopback is found out when it is connected to.
    """
    try:
        parts, origin = urlsplit(url), urlsplit(issuer)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None:
        return False
    if says_loopback(parts.hostname.rstrip(".")):
        return parts.scheme in ("http", "https") and says_loopback(origin.hostname or "")
    return parts.scheme == "https"


def _keys(data: Mapping[str, Json]) -> tuple[VerifyingKey, ...]:
    entries = data.get("keys")
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise ValueError(f"keys is not a list of at most {_MOST_KEYS}")
    keys = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            raise ValueError("a key is not an object")  # noqa: TRY004  # a wrong value
        try:
            keys.append(verifying_key(entry))
        except ValueError:
            continue  # of a type, curve or use that is not for us: sets hold such beside the others
    if not keys:
        raise ValueError("no key in it can verify a token here")
    return tuple(keys)
