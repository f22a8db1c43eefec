"""Stage 2: the one token of the request -> Identity."""

from __future__ import annotations

from aegis_authz.core.identity import Identity, Override
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import Epoch
from aegis_authz.identity.token import read_agent_token, read_override_token
from aegis_authz.wire.http.call import HttpCall


def authenticate(http: HttpCall, trust: Trust, now: Epoch) -> Identity:
    """Verify the agent token in x-aegis-token or Proxy-Authorization: Bearer.

    Raises Refused with a CREDENTIAL_ reason, CREDENTIAL_AMBIGUOUS when there is more than one token.
    """
    tokens = [*http.headers.get("x-aegis-token", ()), *map(_bearer, http.headers.get("proxy-authorization", ()))]
    if not tokens:
        raise Refused(Reason.CREDENTIAL_MISSING)
    if len(tokens) > 1:
        raise Refused(Reason.CREDENTIAL_AMBIGUOUS, f"{len(tokens)} tokens")
    return read_agent_token(tokens[0], trust, now)


def read_override(http: HttpCall, identity: Identity, trust: Trust, now: Epoch) -> Override | None:
    """Verify the override token in x-aegis-approval, None when there is none.

    Raises Refused with APPROVAL_INVALID or APPROVAL_EXPIRED, and APPROVAL_MISMATCH when it was given to another agent.
    """
    token = http.header("x-aegis-approval")
    if token is None:
        return None
    override = read_override_token(token, trust, now)
    if override.scope != identity.scope:
        raise Refused(Reason.APPROVAL_MISMATCH, "given to another agent")
    return override


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(Reason.CREDENTIAL_MALFORMED, "Proxy-Authorization is not a Bearer token")
    return token.strip()
