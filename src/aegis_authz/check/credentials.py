"""What a request shows to prove who sends it, sorted by kind and not yet verified."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.agent_key import KEY_PREFIX
from aegis_authz.wire.http.call import HttpCall

_USER = "agent"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The tokens, proofs and agent keys of a request, with nothing left out."""

    tokens: tuple[str, ...]
    proofs: tuple[str, ...]
    agent_keys: tuple[str, ...]


def credentials_of(http: HttpCall) -> Credentials:
    """Raises Refused(CREDENTIAL_MALFORMED) for a Proxy-Authorization that is neither Bearer nor `agent` and a key."""
    authorizations = http.headers.get("proxy-authorization", ())
    if not authorizations:
        return Credentials(http.headers.get("x-aegis-token", ()), http.headers.get("x-aegis-proof", ()), ())
    secrets = [_secret(value) for value in authorizations]
    return Credentials(
        tokens=(
            *http.headers.get("x-aegis-token", ()),
            *(secret for secret in secrets if not secret.startswith(KEY_PREFIX)),
        ),
        proofs=http.headers.get("x-aegis-proof", ()),
        agent_keys=tuple(secret for secret in secrets if secret.startswith(KEY_PREFIX)),
    )


def _secret(value: str) -> str:
    scheme, _, rest = value.partition(" ")
    if scheme.lower() == "bearer" and rest:
        return rest.strip()
    if scheme.lower() == "basic":
        return _password(rest.strip())
    raise Refused(Reason.CREDENTIAL_MALFORMED, "Proxy-Authorization is neither a Bearer token nor an agent key")


def _password(encoded: str) -> str:
    """The agent key in `agent:KEY` (RFC 7617), which clients make of the user information in a proxy's URL."""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode("ascii").partition(":")
    except (ValueError, binascii.Error):
        raise Refused(Reason.CREDENTIAL_MALFORMED, "Basic credentials that cannot be read") from None
    if user != _USER or not password.startswith(KEY_PREFIX):
        raise Refused(Reason.CREDENTIAL_MALFORMED, "Basic credentials are agent and an agent key")
    return password
