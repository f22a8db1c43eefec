"""One call, start to end: eight stages, and the only way to allow is to reach the last."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from aegis_authz.check.authenticate import authenticate, read_override
from aegis_authz.check.decode import decode
from aegis_authz.check.draft import Draft
from aegis_authz.check.fulfil import Fulfilment, fulfil
from aegis_authz.check.parse import parse
from aegis_authz.check.recording import record_of
from aegis_authz.check.respond import respond, rpc_shape
from aegis_authz.check.settle import apply, settlement_of
from aegis_authz.core.call import HttpCall
from aegis_authz.core.decision import Answer, Decision, Evaluation, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.ports import Clock, Ids, Pdp, RecordLog, Snapshots, Store, Telemetry

_log = logging.getLogger(__name__)
_NOTHING = Fulfilment("", {})
_SLACK = 0.003


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: `total` for judging a call, `pdp` for the policy engine alone. `require_record`: no record, no allow."""

    total: float
    pdp: float
    require_record: bool
    environment: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The decision, with everything it needs from outside."""

    snapshots: Snapshots
    pdp: Pdp
    store: Store
    records: RecordLog
    telemetry: Telemetry
    clock: Clock
    ids: Ids
    limits: Limits

    async def check(self, request: bytes, traceparent: str, deadline: float) -> Answer:
        """Answer one CheckRequest. Never raises: every fault is a denial with its own reason.

        `deadline` is in `Clock.monotonic` seconds and includes the record.
        """
        draft = Draft.begin(self.ids.decision_id(), traceparent, self.clock)
        fulfilment = _NOTHING
        try:
            # ports keep the limit themselves and say what was slow; this one catches what does not
            async with asyncio.timeout_at(min(deadline, draft.started + self.limits.total + _SLACK)):
                decision = await self._decide(request, draft)
            fulfilment = fulfil(decision, rpc_shape(draft))  # 6
        except Refused as refusal:
            decision = denied(refusal.reason, refusal.detail, _revision(draft))
        except TimeoutError:
            decision = denied(Reason.DEADLINE_EXCEEDED, f"after {', '.join(draft.stages) or 'nothing'}", _revision(draft))
        except Exception as fault:  # noqa: BLE001  # a bug: logged whole, denied, and the caller told nothing
            _log.exception("a check failed")
            decision = denied(Reason.INTERNAL_FAULT, type(fault).__name__, _revision(draft))
        decision = await self._record(decision, draft, deadline)  # 7
        return respond(decision, fulfilment if decision.effect.lets_through else _NOTHING, draft)  # 8

    async def refuse(self, reason: Reason, request: bytes, traceparent: str, deadline: float) -> Answer:
        """Deny a call that will not be judged, for `reason`, and record it."""
        draft = Draft.begin(self.ids.decision_id(), traceparent, self.clock)
        try:
            draft.http = decode(request)
            decision = denied(reason, "", "")
        except Refused as refusal:
            decision = denied(reason, refusal.detail, "")
        return respond(await self._record(decision, draft, deadline), _NOTHING, draft)

    async def _decide(self, request: bytes, draft: Draft) -> Decision:
        http = draft.http = decode(request)  # 1
        draft.done("decode", self.clock)
        snapshot = draft.snapshot = self.snapshots.current()
        draft.identity = authenticate(http, snapshot.trust, draft.time)  # 2
        draft.done("authenticate", self.clock)
        try:
            decision = await self._judge(http, draft.identity, snapshot, draft)  # 3, 4
        except Refused as refusal:
            # The token is spent all the same: settle sees refusals too.
            decision = denied(refusal.reason, refusal.detail, _revision(draft))
        return await self._settle(decision, draft)  # 5

    async def _judge(self, http: HttpCall, identity: Identity, snapshot: Snapshot, draft: Draft) -> Decision:
        """Stages 3 and 4 under one revision; once more under a newer one that became active meanwhile."""
        until = self.clock.monotonic() + self.limits.pdp
        for _ in range(2):
            draft.override = read_override(http, identity, snapshot.trust, draft.time)
            call = draft.call = parse(http, snapshot, draft.override)  # 3
            draft.done("parse", self.clock)
            question = Evaluation(identity, call, draft.time, self.limits.environment)
            decision = await self.pdp.evaluate(question, until)  # 4
            draft.done("evaluate", self.clock)
            if decision.revision == snapshot.revision:
                return decision
            snapshot = draft.snapshot = await self.snapshots.at(decision.revision, until)
            identity = draft.identity = authenticate(http, snapshot.trust, draft.time)
        raise Refused(Reason.REVISION_CHANGED, "the policy changed twice during one call")

    async def _settle(self, decision: Decision, draft: Draft) -> Decision:
        if draft.identity is None:
            raise RuntimeError("settling a call that was not authenticated")
        settlement = settlement_of(decision, draft.call, draft.identity, draft.override, self.ids.token(), draft.time)
        draft.settled = await self.store.settle(settlement, draft.started + self.limits.total)
        draft.done("settle", self.clock)
        return apply(draft.settled, settlement, decision)

    async def _record(self, decision: Decision, draft: Draft, deadline: float) -> Decision:
        """Keep the record before the answer leaves; an allow that cannot be recorded is none."""
        record = record_of(decision, draft, self.clock)
        try:
            async with asyncio.timeout_at(deadline):
                await self.records.append(record)
        except (Refused, TimeoutError) as fault:
            _log.error("decision %s was not recorded: %s", draft.decision_id, fault or "too slow")
            if self.limits.require_record and decision.effect is not Effect.DENY:
                decision = denied(Reason.RECORD_FAILED, str(fault), decision.revision)
                record = replace(record, effect=decision.effect, reason=decision.reason, detail=decision.detail)
        self.telemetry.decided(record, draft.traceparent)
        return decision


def _revision(draft: Draft) -> str:
    return draft.snapshot.revision if draft.snapshot is not None else ""
