"""Signing in at an OpenID provider, as the settings say it, with its secret read once."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.adapters.openid import HttpOpenIdProvider, ProviderClient
from aegis_authz.bootstrap.channels import secret_text
from aegis_authz.config.sign_in import OpenIdSettings
from aegis_authz.control.people.federation import FederationTerms
from aegis_authz.core.person import RoleBinding
from aegis_authz.core.trusted_issuer import KeySource, TrustedIssuer
from aegis_authz.core.units import Seconds
from aegis_authz.people.federation import Membership
from aegis_authz.ports.data_plane import Clock

SECRET_VARIABLE = "AEGIS_OIDC_CLIENT_SECRET"  # noqa: S105  # the name of a variable
_MOST_TOKEN_LIFE = Seconds(86_400.0)
_CALLBACK = "/approvals/sign-in/oidc/callback"


def openid_provider(settings: OpenIdSettings, clock: Clock) -> HttpOpenIdProvider:
    """The provider; nothing is connected yet. Raises SettingsError for a secret that is not there."""
    is_public = settings.client_auth == "none"
    secret = "" if is_public else secret_text(settings.client_secret_file, SECRET_VARIABLE)
    client = ProviderClient(settings.issuer, settings.client_id, settings.client_auth, secret)
    return HttpOpenIdProvider(client, clock)


def openid_issuer(settings: OpenIdSettings) -> TrustedIssuer:
    """Whose ID tokens are taken, for which client."""
    return TrustedIssuer(
        name="sign-in",
        issuer=settings.issuer,
        audience=settings.client_id,
        by_trust_domain=False,
        algorithms=settings.algorithms,
        key_source=KeySource(settings.issuer, is_issuer=True),
        jwks=(),
        max_life=_MOST_TOKEN_LIFE,
        is_reusable=False,
        rules=(),
        review="",
    )


def federation_terms(settings: OpenIdSettings, people_url: str, clock_skew: float) -> FederationTerms:
    """At whom people sign in, and what that makes them. `people_url` is where their browsers reach the pages."""
    mapping = {
        name: Membership(_roles(entry.roles), frozenset(entry.groups)) for name, entry in settings.groups.items()
    }
    return FederationTerms(
        issuer=openid_issuer(settings),
        redirect_uri=f"{people_url.rstrip('/')}{_CALLBACK}",
        signed_out_uri=f"{people_url.rstrip('/')}/approvals/sign-in",
        scopes=settings.scopes,
        person_claim=settings.person_claim,
        groups_claim=settings.groups_claim,
        mapping=mapping,
        admits_new=settings.new_people,
        label=settings.label,
        clock_skew=Seconds(clock_skew),
    )


def _roles(texts: Sequence[str]) -> tuple[RoleBinding, ...]:
    return tuple(map(RoleBinding.parse, texts))
