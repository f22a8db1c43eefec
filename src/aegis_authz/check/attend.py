"""Who sends a request that asks for no decision: verified as on a call, and what it shows is used up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aegis_authz.check.decode import decode
from aegis_authz.check.draft import Draft
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.residency import resident
from aegis_authz.check.settle import settled_decision, settlement_of
from aegis_authz.check.shares import Shares
from aegis_authz.check.tunnel import opened
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import is_revoked
from aegis_authz.core.units import Monotonic
from aegis_authz.wire.http.call import HttpCall


@asynccontextmanager
async def attended(pipeline: Pipeline, http: HttpCall, shares: Shares, deadline: Monotonic) -> AsyncIterator[Identity]:
    """Give the sender, who has its share of `shares` for as long as this is open; `deadline` is of the store.

    Raises Refused as the stages of a call do, and with OVERLOADED, before anything is used up, beyond the share.
    """
    clock, ids, limits = pipeline.clock, pipeline.ids, pipeline.limits
    draft = Draft.begin(ids.decision_id(), "", limits.environment, clock)
    draft.read(decode(http))
    snapshot = draft.snapshot = pipeline.snapshots.current()
    identity = draft.identity = resident(pipeline.authenticator, http, snapshot, limits.region, draft)
    if is_revoked(identity, snapshot.revoked):
        raise Refused(Reason.REVOKED, "by the bundle")
    with shares.share(identity.scope, clock.monotonic()):
        decision = opened(snapshot.revision)
        settlement = settlement_of(decision, draft, lambda scope: pipeline.store.approval_id(scope, ids.token()))
        settled = await pipeline.store.settle(settlement, deadline)
        decision = settled_decision(settled, settlement, decision)
        if not decision.effect.lets_through:
            raise Refused(decision.reason, decision.detail)
        yield identity
