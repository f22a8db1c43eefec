"""Listeners that stand for one agent each: its identity is that of a token that the authorizer itself holds.

No credential crosses the wire, so there is none to replay. Who may come in by such a listener is Envoy's business: it
is bound to loopback, or to a unix socket; or rules of a packet filter lead all that the agent's user sends there, and
nobody else can.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aegis_authz.check.credentials import Credentials
from aegis_authz.core.address import is_loopback
from aegis_authz.core.identity import Identity, Proof, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Trust
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.agent_key import CALL_LIFE
from aegis_authz.identity.proof import token_hash
from aegis_authz.identity.token_memory import TokenMemory
from aegis_authz.ports.data_plane import WorkloadTokens
from aegis_authz.wire.http.call import HttpCall

_PAGE_SITES = frozenset(("same-origin", "same-site", "cross-site"))


@dataclass(frozen=True, slots=True)
class Workload:
    """The agent that a listener stands for, and its token."""

    agent: Scope
    tokens: WorkloadTokens


def read_workload(
    workload: Workload,
    http: HttpCall,
    credentials: Credentials,
    memory: TokenMemory,
    trust: Trust,
    now: Epoch,
    new_id: Callable[[], str],
) -> Identity:
    """The agent of this listener, by the token that is held for it.

    Raises Refused with CREDENTIAL_AMBIGUOUS for a call that shows a credential of its own, CREDENTIAL_NOT_ACCEPTED for
    one from another machine, an unknown place or a web page, and WORKLOAD_UNAVAILABLE without a token that verifies.
    """
    if credentials.tokens or credentials.proofs or credentials.agent_keys or http.principal:
        raise Refused(Reason.CREDENTIAL_AMBIGUOUS, "a credential beside that of the listener")
    _require_neighbour(http)
    text = workload.tokens.current()
    try:
        token = memory.read(text, token_hash(text), trust, now)
    except Refused as refusal:
        if refusal.reason is not Reason.CREDENTIAL_NOT_YET_VALID:  # a clock that is behind makes no token better
            workload.tokens.discard(text)
        detail = f"the token that is held: {refusal.reason.value}: {refusal.detail}"
        raise Refused(Reason.WORKLOAD_UNAVAILABLE, detail) from None
    if token.scope != workload.agent or not token.bound_key:
        workload.tokens.discard(text)
        raise Refused(Reason.WORKLOAD_UNAVAILABLE, f"the token that is held is no bound token of {workload.agent}")
    # nobody shows this id: it is made so that a call settles as every other does, and its key can be revoked
    return token.identity(Way.WORKLOAD, Proof(Jti(new_id()), token.bound_key, now, CALL_LIFE))


def _require_neighbour(http: HttpCall) -> None:
    """Refuse whoever cannot be the workload: another machine, or a page in a browser on this one.

    What was led here keeps the address of its device, and a page in the agent's own browser is the agent.
    """
    if not http.over_socket and not http.source:
        raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "a call from an unknown address")
    if http.is_redirected:
        return
    if not http.over_socket and not is_loopback(http.source):
        raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "a call from another machine")
    sites = http.values_of("sec-fetch-site")
    if http.values_of("origin") or not _PAGE_SITES.isdisjoint(sites):
        raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "a call from a web page")
