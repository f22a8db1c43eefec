"""Stage 6: obligations -> what Envoy must do so that the decision holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from aegis_authz.check.detectors import DETECTORS
from aegis_authz.check.fields import read_field
from aegis_authz.core.call import Rpc
from aegis_authz.core.decision import Decision, Obligation, Redact, Target
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.obligations import obligations_to_data


@dataclass(frozen=True, slots=True)
class Fulfilment:
    """Header and metadata changes. `processing` is "", or which bodies pass the processor:
    "request", "response" or "both".
    """

    processing: str
    metadata: Mapping[str, str]


NOTHING_TO_FULFIL = Fulfilment("", {})


def fulfil(decision: Decision, rpc: Rpc) -> Fulfilment:
    """Say how the obligations are met. Raises Refused(OBLIGATION_UNKNOWN) for one that cannot be."""
    if not decision.obligations:
        return NOTHING_TO_FULFIL
    targets = {_target(obligation) for obligation in decision.obligations}
    return Fulfilment(
        processing="both" if len(targets) == 2 else targets.pop().value,
        metadata={
            "obligations": orjson.dumps(obligations_to_data(decision.obligations)).decode(),
            "rpc_id": "" if rpc.id is None else orjson.dumps(rpc.id).decode(),
            "rpc_method": rpc.method,
        },
    )


def _target(obligation: Obligation) -> Target:
    if isinstance(obligation, Redact):
        unknown = [name for name in obligation.detectors if name not in DETECTORS]
        if unknown:
            raise Refused(Reason.OBLIGATION_UNKNOWN, f"no detector is named {unknown[0]}")
        for pointer in obligation.fields:
            read_field(pointer)
        return obligation.target
    return Target.RESPONSE
