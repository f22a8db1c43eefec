"""Keeps the record before the answer leaves; what is let through and cannot be recorded is denied."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from aegis_authz.check.draft import Draft
from aegis_authz.check.recording import record_of
from aegis_authz.core.decision import Decision, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.ports.data_plane import Clock, RecordLog, Telemetry

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Recorder:
    """The record log and telemetry, as the pipeline uses them. `required`: no record, no allow."""

    records: RecordLog
    telemetry: Telemetry
    clock: Clock
    required: bool

    async def keep(self, decision: Decision, draft: Draft, deadline: float) -> Decision:
        """Return once the record is durable; RECORD_FAILED in place of anything but a denial when it is not.

        `deadline` is in `Clock.monotonic` seconds.
        """
        record = record_of(decision, draft, self.clock)
        try:
            async with asyncio.timeout_at(deadline):
                await self.records.append(record)
        except (Refused, TimeoutError) as fault:
            _log.error("decision %s was not recorded: %s", draft.decision_id, str(fault) or "too slow")
            if self.required and decision.effect is not Effect.DENY:
                decision = denied(Reason.RECORD_FAILED, str(fault), decision.revision)
                record = replace(record, effect=decision.effect, reason=decision.reason, detail=decision.detail)
        self.telemetry.decided(record, draft.traceparent)
        return decision
