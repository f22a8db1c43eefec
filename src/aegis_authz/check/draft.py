"""What is known of a call so far: filled along the way, read once by the record and the answer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis_authz.check.session import Session
from aegis_authz.core.call import NO_RPC, Rpc, ToolCall
from aegis_authz.core.charge import Charging
from aegis_authz.core.circumstances import session_name
from aegis_authz.core.decision import ApprovalTerms, Decision
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.identity import Identity, Override
from aegis_authz.core.settlement import Settled
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.telemetry_terms import OF_NOBODY
from aegis_authz.core.units import NO_REVISION, DecisionId, Epoch, Monotonic, Revision
from aegis_authz.costs.estimate import Estimate
from aegis_authz.ports.data_plane import Clock, HoldPlace
from aegis_authz.wire.authzen.question import Question
from aegis_authz.wire.bodies.coding import Decoding
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.traceparent import caller_span


@dataclass(frozen=True, slots=True)
class Resumption:
    """The decision that held a request which is kept open, and when the request came: what it showed was good then."""

    decision_id: DecisionId
    arrived_at: Epoch


@dataclass(frozen=True, slots=True)
class Elicitation:
    """The page that the user of an MCP client is to open, and what the client sends back with the same call."""

    url: str
    state: str


@dataclass(slots=True)
class Draft:
    """The notes of one check. A part is None until its stage is done.

    `traceparent` is the span of the proxy and `caller` that of the caller, "" for none. `source` is the address of a
    request that could not be read, "" where that is not known; of any other, `http` says it.
    `environment` is the name of the mesh's environment. `ended` lists the finished stages with the moment each ended,
    `started` is that of arrival. `decoding` is None for a body that came as it is. `size` is that of the body
    as the tool gets it, bytes. `resumes` is None but for a held request that goes on. `comes_back`
    says that it brought our state back; `elicitation` is what its client is asked, None for nothing. One that
    `is_foreign` is of another region: nothing of it is kept. `question` is what was asked at the evaluation endpoint,
    None for a call that came by Envoy. `judged` is what policy said of the call, whatever became of it since.
    """

    decision_id: DecisionId
    traceparent: str
    environment: str
    time: Epoch
    started: Monotonic
    ended: list[tuple[str, Monotonic]]
    caller: str = ""
    source: str = ""
    http: HttpCall | None = None
    identity: Identity | None = None
    override: Override | None = None
    snapshot: Snapshot | None = None
    call: ToolCall | None = None
    decoding: Decoding | None = None
    size: int = 0
    session: Session | None = None
    cost: Estimate | None = None
    charging: Charging | None = None
    approval: ApprovalTerms | None = None
    settled: Settled | None = None
    resumes: Resumption | None = None
    comes_back: bool = False
    is_foreign: bool = False
    elicitation: Elicitation | None = None
    question: Question | None = None
    judged: Decision | None = None
    place: HoldPlace | None = None

    @property
    def rpc(self) -> Rpc:
        """The JSON-RPC shape of the call, none before it was parsed."""
        return self.call.rpc if self.call is not None else NO_RPC

    @property
    def arrived_at(self) -> Epoch:
        """When the request came, by which is judged whether what it shows is good: `time`, unless it was held since."""
        return self.time if self.resumes is None else self.resumes.arrived_at

    @property
    def revision(self) -> Revision:
        """The revision the call is judged under, "" before one is known."""
        return self.snapshot.revision if self.snapshot is not None else NO_REVISION

    @property
    def trace(self) -> DecisionTrace:
        """Where the spans of the decision belong, and what they may show, as far as is known whose call it is."""
        identity, snapshot = self.identity, self.snapshot
        terms = OF_NOBODY if identity is None or snapshot is None else snapshot.telemetry.of(identity.scope)
        return DecisionTrace.of(self.traceparent, self.caller, terms)

    @staticmethod
    def begin(decision_id: DecisionId, traceparent: str, environment: str, clock: Clock) -> Draft:
        """Open the notes at the arrival of a call. `environment` is the mesh's, "" where it has none."""
        started = clock.monotonic()
        return Draft(decision_id, traceparent, environment, clock.now(), started, [])

    def again(self, decision_id: DecisionId, clock: Clock) -> Draft:
        """Fresh notes of the same call, as far as it is known."""
        notes = Draft.begin(decision_id, self.traceparent, self.environment, clock)
        notes.http, notes.identity, notes.snapshot, notes.call = self.http, self.identity, self.snapshot, self.call
        notes.decoding, notes.size, notes.session, notes.caller = self.decoding, self.size, self.session, self.caller
        notes.question, notes.judged = self.question, self.judged
        return notes

    def bare(self) -> Draft:
        """These notes without the call: when it came, and how long it took."""
        return replace(
            self,
            source="",
            http=None,
            identity=None,
            override=None,
            call=None,
            session=None,
            settled=None,
            question=None,
        )

    def read(self, http: HttpCall) -> None:
        """Note the request, and the span that its caller names."""
        self.http = http
        self.caller = caller_span(http.headers.get("traceparent", ()))

    def leave(self) -> None:
        """Give back the room that was taken for the request, if any was."""
        if self.place is not None:
            self.place.free()

    @property
    def session_name(self) -> str:
        """The session that the call belongs to, as policy and approvals name it; "" for none."""
        token = "" if self.identity is None else self.identity.session
        return session_name(token, "" if self.session is None else self.session.digest)

    def done(self, stage: str, clock: Clock) -> None:
        """Note that a stage ended now; the time since the last note was its own."""
        self.ended.append((stage, clock.monotonic()))

    def stages(self) -> dict[str, float]:
        """The milliseconds each finished stage took; of one that was gone through twice, together."""
        took: dict[str, float] = {}
        before = self.started
        for stage, at in self.ended:
            took[stage] = round(took.get(stage, 0.0) + (at - before) * 1000, 3)
            before = at
        return took
