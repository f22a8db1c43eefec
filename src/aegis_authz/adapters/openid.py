"""An OpenID provider over HTTP: bounded in time and size, redirected nowhere, and asked where it says itself.

Sources: OpenID Connect Discovery 1.0, OpenID Connect Core 1.0, RFC 6749, RFC 7636, RFC 9207.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote_plus

import httpx

from aegis_authz.adapters.elsewhere import ElsewhereTransport, Resolver, bounded_content, resolve
from aegis_authz.adapters.jwks import WELL_KNOWN, is_as_private
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic, Seconds
from aegis_authz.encoding import strict_json
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.openid import ProviderPlaces, ProviderRefused, ProviderTokens, ProviderUnavailable

ClientProof = Literal["basic", "post", "none"]

_SECONDS = 5.0
_MAX_BYTES = 256 * 1024
_FRESH = Seconds(300.0)
_ERROR = re.compile(r"[a-z_]{1,64}\Z")
_METHOD = "S256"


@dataclass(frozen=True, slots=True)
class ProviderClient:
    """As whom a provider is asked, and how that is proven: RFC 6749 section 2.3.1, or not at all."""

    issuer: str
    client_id: str
    proof: ClientProof
    secret: str = field(repr=False)


class HttpOpenIdProvider:
    """`ports.OpenIdProvider` over HTTP."""

    def __init__(self, client: ProviderClient, clock: Clock, resolver: Resolver = resolve) -> None:
        # trust_env: neither a proxy nor other credentials of this process are for it
        self._http = httpx.AsyncClient(
            transport=ElsewhereTransport(resolver), timeout=_SECONDS, follow_redirects=False, trust_env=False
        )
        self._client = client
        self._clock = clock
        self._places: tuple[ProviderPlaces, Monotonic] | None = None
        self._discovery: asyncio.Task[ProviderPlaces] | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._discovery is not None:
            self._discovery.cancel()
        await self._http.aclose()

    async def places(self) -> ProviderPlaces:
        """Where it is asked, as it said within five minutes. Raises ProviderUnavailable.

        Whoever comes while it is asked waits for that answer: the page to sign in is open to everybody, and many who
        open it at once are one question.
        """
        now = self._clock.monotonic()
        if self._places is not None and now - self._places[1] < _FRESH:
            return self._places[0]
        if self._discovery is None or self._discovery.done():
            self._discovery = asyncio.create_task(self._discovered())
            self._discovery.add_done_callback(_look_at)
        discovery = self._discovery
        places = await asyncio.shield(discovery)  # who gives up takes the answer from nobody
        self._places = places, now
        return places

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> ProviderTokens:
        """The tokens for a code. Raises ProviderUnavailable, ProviderRefused."""
        places, client = await self.places(), self._client
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
            "redirect_uri": redirect_uri,
        }
        auth = None
        match client.proof:
            case "basic":  # both are form-encoded first, and servers decode that
                auth = httpx.BasicAuth(quote_plus(client.client_id), quote_plus(client.secret))
            case "post":
                form |= {"client_id": client.client_id, "client_secret": client.secret}
            case "none":
                form["client_id"] = client.client_id
        request = self._http.build_request("POST", places.token, data=form, headers={"accept": "application/json"})
        answer = await self._object(request, "the token endpoint", auth)
        tokens = [answer.get(name) for name in ("id_token", "access_token")]
        if not all(isinstance(token, str) and token for token in tokens):
            raise ProviderUnavailable(f"{client.issuer}: the token endpoint answers no id_token and access_token")
        return ProviderTokens(str(tokens[0]), str(tokens[1]))

    async def userinfo(self, access_token: str) -> Mapping[str, Json]:
        """What it says of the person of a token. Raises ProviderUnavailable, ProviderRefused."""
        places = await self.places()
        if not places.userinfo:
            raise ProviderRefused(f"{self._client.issuer} has no userinfo endpoint")
        headers = {"authorization": f"Bearer {access_token}", "accept": "application/json"}
        return await self._object(self._http.build_request("GET", places.userinfo, headers=headers), "userinfo", None)

    async def _discovered(self) -> ProviderPlaces:
        issuer = self._client.issuer
        request = self._http.build_request("GET", f"{issuer.rstrip('/')}{WELL_KNOWN}")
        data = await self._object(request, "its configuration", None)
        if data.get("issuer") != issuer:
            raise ProviderUnavailable(f"{issuer}: its configuration is of another issuer")
        methods = data.get("code_challenge_methods_supported", [_METHOD])
        if not isinstance(methods, list) or _METHOD not in methods:
            raise ProviderUnavailable(f"{issuer}: takes no PKCE by {_METHOD}")
        return ProviderPlaces(
            authorization=self._place(data, "authorization_endpoint", is_needed=True),
            token=self._place(data, "token_endpoint", is_needed=True),
            userinfo=self._place(data, "userinfo_endpoint"),
            end_session=self._place(data, "end_session_endpoint"),
            names_itself=data.get("authorization_response_iss_parameter_supported") is True,
        )

    def _place(self, data: Mapping[str, Json], name: str, *, is_needed: bool = False) -> str:
        url, issuer = data.get(name), self._client.issuer
        if url is None and not is_needed:
            return ""
        if not isinstance(url, str) or not is_as_private(url, issuer) or "#" in url:
            raise ProviderUnavailable(f"{issuer}: {name} is no https:// URL of a host")
        return url

    async def _object(self, request: httpx.Request, kind: str, auth: httpx.Auth | None) -> Mapping[str, Json]:
        issuer = self._client.issuer
        try:
            async with asyncio.timeout(_SECONDS):
                answer = await self._http.send(request, auth=auth, stream=True)
                try:
                    content = await bounded_content(answer, _MAX_BYTES)
                finally:
                    await answer.aclose()
            data = strict_json.parse_object(content)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, TimeoutError, OSError, ValueError) as fault:
            raise ProviderUnavailable(f"{issuer}: {kind}: {type(fault).__name__}") from None
        except Refused:
            raise ProviderUnavailable(f"{issuer}: {kind}: HTTP {answer.status_code} and no object of JSON") from None
        if answer.status_code in (400, 401, 403):
            error = data.get("error")
            # the description may repeat what was sent
            words = error if isinstance(error, str) and _ERROR.match(error) else f"HTTP {answer.status_code}"
            raise ProviderRefused(f"{issuer}: {kind}: {words}")
        if answer.status_code != 200:
            raise ProviderUnavailable(f"{issuer}: {kind}: HTTP {answer.status_code}")
        return data


def _look_at(discovery: asyncio.Task[ProviderPlaces]) -> None:
    """A fault that nobody waited for any more is no fault of the loop's."""
    if not discovery.cancelled():
        discovery.exception()
