"""Client certificates: the agent that is registered for the SPIFFE id in one, which Envoy verified (X509-SVID)."""

from __future__ import annotations

from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import Registry
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.agent_key import CALL_LIFE


def read_certificate(spiffe_id: str, fingerprint: str, registry: Registry, now: Epoch, jti: Jti) -> Identity:
    """Whose certificate it is. `fingerprint` is its SHA-256 in hex, `jti` a fresh id for the call.

    Raises Refused(CREDENTIAL_UNTRUSTED) for an id that no document registers.
    """
    scope = registry.by_spiffe_id.get(spiffe_id)
    if scope is None:
        raise Refused(Reason.CREDENTIAL_UNTRUSTED, "no agent has the SPIFFE id of this certificate")
    trust_domain = "/".join(spiffe_id.split("/")[:3])
    return Identity(
        scope=scope,
        issuer=trust_domain,
        key_id=fingerprint,
        jti=jti,
        issued_at=now,
        expires_at=Epoch(now + CALL_LIFE),
        actors=(),
        on_behalf_of="",
        way=Way.MTLS,
        proof=None,
        session="",
        grant=None,
    )
