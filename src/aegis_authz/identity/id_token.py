"""ID tokens of people who sign in elsewhere (OpenID Connect Core 1.0, section 3.1.3.7), verified strictly."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json
from aegis_authz.core.trusted_issuer import TrustedIssuer
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.encoding.verifying_key import VerifyingKey
from aegis_authz.identity.exchange import ForeignToken, read_foreign_token, verified_claims


class IdTokenRefused(Exception):
    """An ID token is not one for this client and this sign-in; the message is for the log and holds no claim."""


def read_id_token(text: str, issuer: TrustedIssuer) -> ForeignToken:
    """Take it apart; issuer, audience and algorithm are those of `issuer`. Raises NotIssued, IdTokenRefused."""
    token = read_foreign_token(text, (issuer,))
    if str(token.jws.header.get("typ", "JWT")).upper() != "JWT":
        raise IdTokenRefused("typ is not JWT: another kind of token")
    return token


def verified_identity(
    token: ForeignToken, keys: Sequence[VerifyingKey], nonce: str, now: Epoch, skew: Seconds
) -> Mapping[str, Json]:
    """The claims of a token by one of these keys, for this very sign-in. Raises NotIssued, IdTokenRefused."""
    claims = verified_claims(token, keys, now, skew)
    client = token.issuer.audience
    audience, party = claims.get("aud"), claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise IdTokenRefused("several audiences and no azp")
    if party is not None and party != client:
        raise IdTokenRefused("azp is another client")
    if "iat" not in claims:
        raise IdTokenRefused("iat is missing")
    own = claims.get("nonce")
    if not isinstance(own, str) or not hmac.compare_digest(own.encode("utf-8"), nonce.encode("ascii")):
        raise IdTokenRefused("nonce is of another sign-in")
    return claims
