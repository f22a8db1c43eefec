"""A refusal that is counted: what is kept of it, and what telemetry hears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import DecisionId, Epoch


class UnrecordedRefusal(NamedTuple):
    """A refusal that has no record of its own, nor spans: one of many of its reason in a second.

    `effect` is that of its reason: a tunnel that is opened for nobody known is counted, too. `identity` is None where
    nobody was told apart. `source` is the address it came from, "" where it is not known. `stages` are the milliseconds
    of each finished stage, `total_ms` those from arrival.
    """

    decision_id: DecisionId
    time: Epoch
    effect: Effect
    reason: Reason
    source: str
    identity: Identity | None
    stages: Mapping[str, float]
    total_ms: float
