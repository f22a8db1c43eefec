"""What the pipeline and the control plane need from outside.

Every method maps its driver's errors to `Refused` (data plane) or to the errors named here; no
driver exception crosses a port.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from aegis_authz.core.approval import Approval, ApprovalPage, ApprovalState, CallOutcome
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.record import DecisionRecord, Record
from aegis_authz.core.scope import Scope
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import ApprovalId, DecisionId, Epoch, Monotonic, Revision, Seconds
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> Epoch:
        """The time of day."""
        ...

    def monotonic(self) -> Monotonic:
        """The clock of deadlines (the event loop's own)."""
        ...


class Ids(Protocol):
    """Fresh random names."""

    def decision_id(self) -> DecisionId:
        """A new decision id, sortable by time (UUIDv7 text)."""
        ...

    def token(self) -> str:
        """128 random bits as lower-case hex."""
        ...


class Credentials(Protocol):
    """Secrets that tools want and agents must not have."""

    def secret(self, scope: Scope, name: str) -> str:
        """The secret of that name of the agent's tenant, fit for a header. Raises Refused(OBLIGATION_UNMET)."""
        ...


class WorkloadTokens(Protocol):
    """The token of the one agent that a listener stands for, renewed in the background."""

    def current(self) -> str:
        """The token that is good now; asks nobody. Raises Refused(WORKLOAD_UNAVAILABLE)."""
        ...

    def discard(self, token: str) -> None:
        """Never give this token again: it did not verify. Another is asked for."""
        ...


class SessionKeys(Protocol):
    """What MCP sessions are bound to their agents with."""

    def session_keys(self) -> tuple[bytes, ...]:
        """The keys that are valid, that of new sessions first. Raises Refused(INTERNAL_FAULT)."""
        ...


class Pdp(Protocol):
    """The policy decision point (OPA)."""

    async def evaluate(self, question: Evaluation, deadline: Monotonic) -> Decision:
        """Judge one call; concurrent questions share a query.

        Raises Refused with PDP_UNAVAILABLE, PDP_TIMEOUT, DECISION_UNDEFINED or DECISION_MALFORMED.
        """
        ...


class Snapshots(Protocol):
    """The generations of policy this process can serve."""

    def current(self) -> Snapshot:
        """The newest loaded snapshot. Raises Refused(NOT_READY) before the first."""
        ...

    async def at(self, revision: Revision, deadline: Monotonic) -> Snapshot:
        """Load the snapshot of `revision`, which the PDP just named.

        Raises Refused(REVISION_CHANGED) when the PDP has moved on, PDP_UNAVAILABLE when it cannot be asked.
        """
        ...


class Store(Protocol):
    """Replay memory, revocations and approvals in flight (Redis)."""

    def approval_id(self, scope: Scope, token: str) -> ApprovalId:
        """The id of a new approval of that agent, by which this store finds it again; fit for a URL, asks nobody.

        `token` is a fresh random name, in lower-case hex.
        """
        ...

    async def settle(self, settlement: Settlement, deadline: Monotonic) -> Settled:
        """Write all of one call's effects in one atomic round trip, or none of them.

        Raises Refused with STORE_UNAVAILABLE or STORE_TIMEOUT, and with CREDENTIAL_NOT_YET_VALID for a token issued
        further ahead than its memory can reckon with.
        """
        ...


class Reservations(Protocol):
    """What was charged and may still be adjusted, once what became of the call is known."""

    async def adjust(self, scope: Scope, decision_id: DecisionId, adjustment: Adjustment) -> bool:
        """Make what the decision charged into what its call came to.

        Returns False when nothing is reserved under that id: it was adjusted before, or stays as it was charged. It can
        be said again after any fault. Raises StoreDown.
        """
        ...

    async def confirm(self, decisions: Sequence[tuple[Scope, DecisionId]]) -> None:
        """Let stand what these decisions of calls without a place among calls under way charged: `adjust` finds
        nothing of them any more. Raises StoreDown; some may be done then.
        """
        ...


class RecordLog(Protocol):
    """The tamper-evident log of one writer."""

    async def append(self, record: Record) -> None:
        """Return once the record is durable. Raises Refused(RECORD_FAILED)."""
        ...


class OutcomeLog(RecordLog, Protocol):
    """A log of records that are written many at a time, too, because nobody waits for an answer."""

    async def append_all(self, records: Sequence[Record]) -> None:
        """Return once all are durable. Raises Refused(RECORD_FAILED): none is kept then, and each may be by itself."""
        ...


class Telemetry(Protocol):
    """Spans and metrics; never fails a call."""

    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        """Count the decision and emit its spans where `trace` says that they belong."""
        ...

    def refused(self, refusal: UnrecordedRefusal) -> None:
        """Count a refusal that is on no record of its own, and has no spans."""
        ...


class SettlementTelemetry(Protocol):
    """Spans of settled costs; never fails one."""

    def settled(self, call: SettledCall) -> None:
        """Emit the span of a cost that is on record."""
        ...


class HoldTelemetry(Protocol):
    """Metrics of requests that are kept open; never fails one."""

    def hold_began(self) -> None:
        """One more is kept open."""
        ...

    def hold_ended(self, end: str, waited: Seconds) -> None:
        """One is kept open no longer."""
        ...

    def hold_refused(self) -> None:
        """One is not kept open: there are as many as may be."""
        ...


class HoldPlace(Protocol):
    """Room for one request that may be kept open."""

    def free(self) -> None:
        """Give it back, however often this is said."""
        ...


class HoldPlaces(Protocol):
    """The room of an authorizer for requests that are kept open."""

    def take(self, agent: Scope) -> HoldPlace | None:
        """Room for one more of the agent; None where there are as many as may be, or no more are kept open."""
        ...


class ApprovalStates(Protocol):
    """How approvals stand, for whoever waits for them."""

    async def states(self, names: Sequence[ApprovalId]) -> Sequence[ApprovalState | None]:
        """The state that is kept of each, in their order; None where nothing is. Raises StoreDown."""
        ...


class ApprovalOutcomes(Protocol):
    """What became of the calls that approvals let through."""

    async def conclude(self, approval_id: ApprovalId, outcome: CallOutcome) -> bool:
        """Note what became of the call that used the approval: the first word counts.

        Returns False where it is not used, was forgotten, or was concluded before. Raises StoreDown, and
        ApprovalNotFound for what cannot be an approval's id.
        """
        ...


class Approvals(Protocol):
    """The approver's side of the store."""

    async def page(self, states: Collection[ApprovalState], limit: int, after: str) -> ApprovalPage:
        """At most `limit` approvals that are kept in one of these states, those that expire last first.

        `after` is "" or where the page before ended. A page may hold fewer and not be the last: one looks at a bounded
        number of approvals. Raises StoreDown.
        """
        ...

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        ...

    async def decide(self, approval_id: ApprovalId, to: ApprovalState, by: str, now: Epoch) -> Approval:
        """Move a pending approval to APPROVED or DENIED, or one that is pending or granted to CANCELLED, atomically.

        One that needs several people stays PENDING until so many have approved; `by` has no space in it. Whether that
        person may is asked before (`approvals/rules.py`). Raises ApprovalNotFound, ApprovalConflict (decided already,
        expired, or approved by the same person before), StoreDown.
        """
        ...

    async def ending(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[ApprovalId], Epoch]:
        """The names of those whose time ends from `since` to `until`, in whatever state, and until when that is.

        Nothing else of them is read. It is `until` unless there are more than `limit`. Raises StoreDown.
        """
        ...

    async def overdue(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[Approval], Epoch]:
        """Those whose time ended from `since` to `until` while they were pending or granted, and until when that is.

        It is `until` unless there are more than `limit`. Raises StoreDown.
        """
        ...

    async def expire(self, approval_id: ApprovalId, now: Epoch) -> None:
        """Keep an approval whose time is over as EXPIRED, if it is pending or granted still. Raises StoreDown."""
        ...


class StoreDown(Exception):
    """The store behind the control plane cannot be reached; the message is fit to show."""
