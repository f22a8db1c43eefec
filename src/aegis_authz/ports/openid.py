"""An OpenID provider at which people sign in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aegis_authz.core.json_value import Json

OPENID = "oidc"
"""The channel in which a person's address is the issuer and their `sub` there, with a space between."""


@dataclass(frozen=True, slots=True)
class ProviderPlaces:
    """Where a provider is asked, as it says itself (OpenID Connect Discovery 1.0, section 3); "" for no such place.

    `names_itself` says that its answers to a browser bear `iss` (RFC 9207).
    """

    authorization: str
    token: str
    userinfo: str
    end_session: str
    names_itself: bool


@dataclass(frozen=True, slots=True)
class ProviderTokens:
    """What a code was good for. Nothing of it is verified."""

    id_token: str = field(repr=False)
    access_token: str = field(repr=False)


class OpenIdProvider(Protocol):
    """Every method raises ProviderUnavailable."""

    async def places(self) -> ProviderPlaces:
        """Where it is asked."""
        ...

    async def redeem(self, code: str, verifier: str, redirect_uri: str) -> ProviderTokens:
        """The tokens for a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). Raises ProviderRefused."""
        ...

    async def userinfo(self, access_token: str) -> Mapping[str, Json]:
        """What it says of the person of a token (OpenID Connect Core 1.0, section 5.3). Raises ProviderRefused."""
        ...


class ProviderUnavailable(Exception):
    """A provider cannot be asked, or does not answer as one; the message is for the log and holds no secret."""


class ProviderRefused(Exception):
    """A provider said no; the message is for the log and holds no secret."""
