"""Whose signatures a bundle tells the data plane to believe."""

from __future__ import annotations

from collections.abc import Iterable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.config.control import ControlSettings
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.policy.bundle.snapshot import trust_to_data


def trust_data(
    settings: ControlSettings, token_keys: Iterable[Ed25519PublicKey], approval_keys: Iterable[Ed25519PublicKey]
) -> dict[str, Json]:
    """The trust part of every bundle: public keys, and the settings' names and limits.

    Raises ValueError when one key would sign both tokens and approvals.
    """
    return trust_to_data(
        issuer=settings.issuer,
        audience=settings.mesh_audience,
        token_keys=public_jwks(token_keys),
        approval_keys=public_jwks(approval_keys),
        # As floats always: 5 and 5.0 are one setting and must not make two revisions.
        max_token_life=float(settings.max_token_life),
        clock_skew=float(settings.clock_skew),
    )


def public_jwks(keys: Iterable[Ed25519PublicKey]) -> list[dict[str, str]]:
    """The keys as JWKs (RFC 8037), each with its thumbprint as `kid`."""
    return [okp_jwk(key.public_bytes_raw()) for key in keys]
