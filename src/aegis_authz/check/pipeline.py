"""One call, start to end: eight stages, and the only way to allow is to reach the last."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial

from aegis_authz.check.authenticate import Authenticator, read_override
from aegis_authz.check.charge import charging_of
from aegis_authz.check.content_coding import Reading, coding_of
from aegis_authz.check.cost import estimate_of
from aegis_authz.check.deadline import Deadline
from aegis_authz.check.decode import decode
from aegis_authz.check.draft import Draft
from aegis_authz.check.elicitation import elicitation_of, require_own_state
from aegis_authz.check.fulfil import (
    NOTHING_TO_FULFIL,
    Fulfilment,
    fulfil,
    refuse_inapplicable,
    refuse_unprocessed,
    refuse_unreachable,
)
from aegis_authz.check.hold import Hold, Judgement, hold_of
from aegis_authz.check.parse import parse
from aegis_authz.check.record import Recorder
from aegis_authz.check.residency import refuse_far, resident
from aegis_authz.check.respond import respond
from aegis_authz.check.session import bound_session
from aegis_authz.check.settle import approval_terms, approved, settled_decision, settlement_of
from aegis_authz.check.shares import Shares
from aegis_authz.check.shedding import read_unjudged, shed
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.check.tunnel import is_spent, opened, shows_credentials
from aegis_authz.core.approval import Unattended
from aegis_authz.core.decision import Decision, Evaluation, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.revocation import is_revoked
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import NO_REVISION, Monotonic, Seconds
from aegis_authz.encoding.json_outline import may_be_dense
from aegis_authz.ports.data_plane import Clock, Credentials, HoldPlaces, Ids, Pdp, SessionKeys, Snapshots, Store
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import takes_long

_log = logging.getLogger(__name__)
_MOST_VALUES = 2000  # of a body that is read while the others wait: about a millisecond
_SECOND_TRY = 0.3  # of the time for the policy engine
_SLACK = 1.075  # ports keep their limits themselves and say what was slow; the outer limit catches what does not


@dataclass(frozen=True, slots=True)
class Limits:
    """`total` for judging a call, `pdp` for the policy engine alone; `environment` is told to policies, and `region` is
    where this is, "" in a mesh without regions.
    """

    total: Seconds
    pdp: Seconds
    environment: str
    region: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The decision, with everything it needs from outside."""

    snapshots: Snapshots
    authenticator: Authenticator
    pdp: Pdp
    store: Store
    recorder: Recorder
    clock: Clock
    ids: Ids
    credentials: Credentials
    session_keys: SessionKeys
    limits: Limits
    slow_lane: SlowLane[Reading]
    shares: Shares
    places: HoldPlaces

    async def check(self, request: bytes | HttpCall, traceparent: str, deadline: Monotonic) -> Answer:
        """Answer one CheckRequest at once, also one that is held."""
        judgement = await self.judged(request, traceparent, deadline, None)
        if judgement.hold is not None and judgement.hold.place is not None:
            judgement.hold.place.free()
        return judgement.answer

    async def judged(
        self, request: bytes | HttpCall, traceparent: str, deadline: Monotonic, resumes: Hold | None
    ) -> Judgement:
        """Judge one CheckRequest, or one question; every fault is a denial with its own reason.

        `traceparent` is the caller's span, "" for none. `deadline` includes the record. `resumes` is the hold of the
        same request that goes on now: it is judged as a repetition of the call would be, but that it needs no other
        token. It is not held twice. Who gets a hold with room for it (`place`) gives that back.
        """
        draft = Draft.begin(self.ids.decision_id(), traceparent, self.limits.environment, self.clock)
        draft.resumes = None if resumes is None else resumes.resumption
        hold: Hold | None = None
        try:
            judgement = await self._judged(request, draft, deadline)
            hold = judgement.hold
            return judgement
        finally:  # also when whoever asked is gone
            if hold is None:
                draft.leave()

    async def _judged(self, request: bytes | HttpCall, draft: Draft, deadline: Monotonic) -> Judgement:
        fulfilment = NOTHING_TO_FULFIL
        try:
            with Deadline(min(deadline, draft.started + self.limits.total * _SLACK)):
                decision = await self._decide(request, draft)  # 1 to 5
            draft.elicitation = elicitation_of(decision, draft, self.session_keys)
            fulfilment = self._fulfilled(decision, draft)  # 6
        except Refused as refusal:
            decision = denied(refusal.reason, refusal.detail, draft.revision, refusal.fault)
        except TimeoutError:
            decision = denied(Reason.DEADLINE_EXCEEDED, f"after {', '.join(draft.stages())}", draft.revision)
        except Exception as fault:  # noqa: BLE001  # a bug: logged whole, denied, and the caller told nothing
            _log.exception("a check failed")
            decision = denied(Reason.INTERNAL_FAULT, type(fault).__name__, draft.revision)
        decision = await self.recorder.keep(decision, draft, deadline)  # 7
        answer = respond(decision, fulfilment, draft)  # 8
        return Judgement(answer, hold_of(decision, draft, answer))

    async def deny(self, hold: Hold, reason: Reason, deadline: Monotonic) -> Answer:
        """Deny a request that was kept open, for `reason`, on a record of its own beside that of the hold."""
        draft = hold.draft.again(self.ids.decision_id(), self.clock)
        refusal = denied(reason, f"approval {hold.approval_id}", draft.revision)
        decision = await self.recorder.keep(replace(refusal, policies=hold.policies), draft, deadline)
        return respond(decision, NOTHING_TO_FULFIL, draft)

    async def refuse(self, reason: Reason, request: bytes | HttpCall, traceparent: str, deadline: Monotonic) -> Answer:
        """Deny a call for `reason` without judging it, and record it; costs neither OPA nor Redis anything."""
        draft = Draft.begin(self.ids.decision_id(), traceparent, self.limits.environment, self.clock)
        detail = read_unjudged(request, draft, self.snapshots)
        decision = await self.recorder.keep(denied(reason, detail, NO_REVISION), draft, deadline)
        return respond(decision, NOTHING_TO_FULFIL, draft)

    def shed(self, reason: Reason, message: bytes) -> bytes | None:
        """Deny a call for `reason` at once, by a CheckResponse, and count it; None for one to be recorded: `refuse`."""
        return shed(reason, message, self.recorder, self.snapshots, self.clock, self.ids)

    async def _decide(self, request: bytes | HttpCall, draft: Draft) -> Decision:
        http = decode(request)  # 1
        draft.read(http)
        draft.done("decode", self.clock)
        snapshot = draft.snapshot = self.snapshots.current()
        coding_of(http, snapshot.catalogue)  # refuses what no tool takes before anything is done for it
        if http.opens_tunnel and not shows_credentials(http):
            return opened(snapshot.revision)
        identity = draft.identity = self._resident(http, snapshot, draft)  # 2
        draft.done("authenticate", self.clock)
        with self.shares.share(identity.scope, self.clock.monotonic()):
            if http.opens_tunnel:
                return await self._opened(identity, snapshot, draft)
            return await self._settled(http, identity, snapshot, draft)

    async def _opened(self, identity: Identity, snapshot: Snapshot, draft: Draft) -> Decision:
        """Open a tunnel whose requests are judged one by one, for a caller whose credential is good."""
        decision = opened(snapshot.revision)
        if not is_spent(identity):
            return decision
        settlement = settlement_of(decision, draft, lambda scope: self.store.approval_id(scope, self.ids.token()))
        draft.settled = await self.store.settle(settlement, Monotonic(draft.started + self.limits.total))
        return settled_decision(draft.settled, settlement, decision)

    async def _settled(self, http: HttpCall, identity: Identity, snapshot: Snapshot, draft: Draft) -> Decision:
        policies: tuple[str, ...] = ()
        try:
            decision = draft.judged = await self._judge(http, identity, snapshot, draft)  # 3, 4
            policies = decision.policies
            # what cannot be fulfilled uses nothing but its token; limits that are exceeded may add to it
            self._fulfilled(approved(decision) if decision.effect is Effect.APPROVAL_NEEDED else decision, draft)
            draft.cost = estimate_of(decision, draft)
            draft.charging = charging_of(decision, draft)
            draft.approval = approval_terms(decision, draft)
            self._require_place(decision, identity, draft)
        except Refused as refusal:  # the token is spent all the same
            if draft.is_foreign:  # but for one whose tenant has moved to another region: nothing of it is kept
                raise
            draft.cost = draft.charging = None
            decision = replace(denied(refusal.reason, refusal.detail, draft.revision, refusal.fault), policies=policies)
        settlement = settlement_of(decision, draft, lambda scope: self.store.approval_id(scope, self.ids.token()))
        draft.settled = await self.store.settle(settlement, Monotonic(draft.started + self.limits.total))  # 5
        draft.done("settle", self.clock)
        return settled_decision(draft.settled, settlement, decision)

    def _require_place(self, decision: Decision, identity: Identity, draft: Draft) -> None:
        """Take room for a request that is denied unless somebody decides while it is kept open.

        Where there is none, that is known before an approval is opened, and nobody is asked in vain: raises
        Refused(APPROVAL_UNATTENDED), or leaves a call to its limits that would need an approval beyond them alone.
        """
        terms = draft.approval
        if terms is None or terms.unattended is not Unattended.DENY:
            return
        if draft.override is not None or draft.resumes is not None:
            return
        draft.place = self.places.take(identity.scope)
        if draft.place is not None:
            return
        draft.approval = None
        if decision.approval is not None:
            raise Refused(Reason.APPROVAL_UNATTENDED, "no room to keep the request open")

    def _fulfilled(self, decision: Decision, draft: Draft) -> Fulfilment:
        """How the obligations of a call that passes are met. Raises Refused where they cannot be."""
        if not decision.effect.lets_through:
            return NOTHING_TO_FULFIL
        refuse_unreachable(decision, draft.call)
        if draft.question is not None and draft.snapshot is not None:
            tool = draft.snapshot.catalogue.by_name.get(draft.question.tool)
            refuse_inapplicable(decision, draft.question, tool is not None and tool.is_function)
        fulfilment = fulfil(decision, draft.rpc, draft.identity, self.credentials, draft.decoding)
        refuse_unprocessed(fulfilment, draft.http.listener if draft.http is not None else "")
        return fulfilment

    async def _judge(self, http: HttpCall, identity: Identity, snapshot: Snapshot, draft: Draft) -> Decision:
        """Parse and evaluate under one revision; once more under a newer one that became active meanwhile."""
        until = Monotonic(self.clock.monotonic() + self.limits.pdp)
        for _ in range(2):
            if is_revoked(identity, snapshot.revoked):  # settling asks the store, too, which may have forgotten
                raise Refused(Reason.REVOKED, "by the bundle")
            draft.override = read_override(http, identity, snapshot.trust, draft.time)
            coding = coding_of(http, snapshot.catalogue)
            work = partial(parse, http, coding, snapshot, identity, draft.override)  # 3
            # what is encoded says nothing of its length
            slow = coding or may_be_dense(http.body, _MOST_VALUES) or takes_long(http, snapshot.catalogue)
            reading = await self.slow_lane.do(identity.scope, work) if slow else work()
            call = draft.call = reading.call
            draft.decoding, draft.size = reading.decoding, len(reading.http.body)
            draft.question = reading.question
            refuse_far(call, snapshot)
            if reading.state:
                require_own_state(reading.state, call, identity, self.session_keys, draft.arrived_at)
                draft.comes_back = True
            if reading.question is None:
                draft.session = bound_session(reading.http, call, identity, snapshot.catalogue, self.session_keys)
            draft.done("parse", self.clock)
            name, reads, roots = draft.session_name, snapshot.reads, snapshot.roots
            question = Evaluation(identity, call, draft.time, draft.environment, name, reads, roots)
            decision = await self._evaluated(question, until)  # 4
            draft.done("evaluate", self.clock)
            if decision.revision == snapshot.revision:
                return decision
            snapshot = draft.snapshot = await self.snapshots.at(decision.revision, until)
            identity = draft.identity = self._resident(http, snapshot, draft)
        raise Refused(Reason.REVISION_CHANGED, "the policy changed twice during one call")

    def _resident(self, http: HttpCall, snapshot: Snapshot, draft: Draft) -> Identity:
        return resident(self.authenticator, http, snapshot, self.limits.region, draft)

    async def _evaluated(self, question: Evaluation, until: Monotonic) -> Decision:
        """Ask the policy engine; once more, in time kept for it, when it had none: nothing is settled yet."""
        first = Monotonic(until - _SECOND_TRY * (until - self.clock.monotonic()))
        try:
            return await self.pdp.evaluate(question, first)
        except Refused as refusal:
            if refusal.reason is not Reason.PDP_TIMEOUT:
                raise
        return await self.pdp.evaluate(question, until)
