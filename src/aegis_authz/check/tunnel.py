"""CONNECT: a tunnel that Envoy ends.

Nothing passes a tunnel unjudged: each request inside is a call of its own, and refused where its client can read why.
Of the tunnel itself is known who opens it and where to; that is recorded.
"""

from __future__ import annotations

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import Revision
from aegis_authz.wire.http.call import HttpCall

_CREDENTIALS = ("proxy-authorization", "x-aegis-token", "x-aegis-proof")


def shows_credentials(http: HttpCall) -> bool:
    """Whether a CONNECT says who opens the tunnel. Where it does not, each request inside has to."""
    return http.principal != "" or any(name in http.headers for name in _CREDENTIALS)


def is_spent(identity: Identity) -> bool:
    """Whether opening a tunnel uses up what was shown: a proof, which is of this CONNECT. A token that is good for one
    call is good for the first inside.
    """
    return identity.way is Way.BOUND


def opened(revision: Revision) -> Decision:
    """A tunnel is opened: no policy said so, and none is needed for what lets nothing through."""
    return Decision(
        effect=Effect.ALLOW,
        reason=Reason.TUNNEL_OPENED,
        detail="",
        policies=(),
        revision=revision,
        obligations=(),
        findings=(),
        approval=None,
        would=None,
        limits=(),
        fault=None,
    )
