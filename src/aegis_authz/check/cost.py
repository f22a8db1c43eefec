"""What a call that policy lets through, or holds for a person, may cost at most."""

from __future__ import annotations

from aegis_authz.check.draft import Draft
from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.costs.estimate import Estimate, estimate


def estimate_of(decision: Decision, draft: Draft) -> Estimate | None:
    """What is to be reserved for the call; None for a denial and for a call without a price.

    Raises Refused(COST_UNKNOWN) where the call has a price and its cost cannot be told: it is never free.
    """
    call, snapshot = draft.call, draft.snapshot
    if call is None or snapshot is None or not snapshot.prices.by_action:
        return None
    if decision.effect is Effect.DENY:
        return None
    tool = snapshot.catalogue.by_name.get(call.tool)
    parameters = tool.parameters_of(call.action) if tool is not None else ()
    return estimate(call, parameters, draft.size, snapshot.prices)
