"""Settings of signing in elsewhere: at an OpenID provider."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from aegis_authz.config.values import PrivateUrl, Settings
from aegis_authz.core.person import GROUP, RoleBinding

_SCOPE = r"^[!#-\[\]-~]{1,128}$"  # RFC 6749 section 3.3


def _role(text: str) -> str:
    return str(RoleBinding.parse(text))


def _group(text: str) -> str:
    if GROUP.match(text) is None:
        raise ValueError("must be 1 to 128 of a-z, 0-9 and ._/-")
    return text


RoleText = Annotated[str, AfterValidator(_role)]
GroupText = Annotated[str, AfterValidator(_group)]
Scope = Annotated[str, Field(pattern=_SCOPE)]
Claim = Annotated[str, Field(min_length=1, max_length=256)]


class MembershipSettings(Settings):
    """What people of a group at the provider are here: roles such as `approver@acme/emea`, and groups of approvers."""

    roles: tuple[RoleText, ...] = Field(min_length=1)
    groups: tuple[GroupText, ...] = ()


class OpenIdSettings(Settings):
    """An OpenID provider at which people sign in, by authorization code and PKCE.

    `issuer` is exactly what its tokens say; Aegis is its client `client_id`, whose secret is in `client_secret_file`,
    or in the environment (AEGIS_OIDC_CLIENT_SECRET); with `client_auth: none` it has none. ID tokens are signed by one
    of `algorithms`. `person_claim` names a person who is new here (an e-mail address that the provider has verified,
    by default) and `groups_claim` lists their groups; both are the name of a claim, or a JSON pointer.
    With `groups` a person has, from each signing in on, the roles and groups of that mapping and no others; without it
    those that owners gave. `new_people` lets in whom the mapping knows and nobody added before. `label` is what the
    page calls the provider.
    """

    issuer: PrivateUrl
    client_id: Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
    client_auth: Literal["basic", "post", "none"] = "basic"
    client_secret_file: Path | None = None
    algorithms: tuple[Literal["RS256", "PS256", "ES256", "EdDSA"], ...] = Field(default=("RS256",), min_length=1)
    scopes: tuple[Scope, ...] = ("openid", "profile", "email")
    person_claim: Claim = "email"
    groups_claim: Claim = "groups"
    groups: Mapping[str, MembershipSettings] = {}
    new_people: bool = False
    label: Annotated[str, Field(min_length=1, max_length=64)] = "your identity provider"

    @model_validator(mode="after")
    def _is_whole(self) -> OpenIdSettings:
        if "openid" not in self.scopes:
            raise ValueError("scopes must have openid")
        if self.new_people and not self.groups:
            raise ValueError("new_people needs groups: without a mapping whoever is new would be nothing here")
        return self


class SignInSettings(Settings):
    """How people sign in besides by a password that is kept here."""

    oidc: OpenIdSettings | None = None
