"""An authorizer that runs the real pipeline on each check and keeps what it judged. Its policy and its store, scripts
of this room, allow whatever a tool of the catalogue claims: what is refused was refused for what the request is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envoy.service.auth.v3 import external_auth_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from aegis_authz.adapters.files.credentials import CredentialFolder
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.pipeline import Limits, Pipeline
from aegis_authz.check.record import Recorder
from aegis_authz.check.shares import Shares
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.core.basis import Bases
from aegis_authz.core.breaker import NO_BREAKERS
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.decision import Decision, Evaluation, denied
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Way
from aegis_authz.core.price import NO_PRICES
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.record_terms import NO_RECORD_RULES
from aegis_authz.core.registration import NO_AGENTS
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.telemetry_terms import NO_TELEMETRY_RULES
from aegis_authz.core.units import ApprovalId, Epoch, Jti, Millis, Revision, Seconds
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.identity.mint import mint_token
from aegis_authz.policy.language.operators import PHRASES
from aegis_authz.server.ext_proc import BodyHandler
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.wire.envoy.ext_authz import SERVICE, write_check_response
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE
from tests.support.hold_places import CountedPlaces
from tests.support.session_keys import StillSessionKeys

AGENT = Scope("acme", "emea", "bot")
_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
_REVISION = Revision("r1")


@dataclass(frozen=True)
class Judgement:
    """One request as it was judged: what Envoy told, the call that was read from it, and the answer."""

    method: str
    target: str
    host: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    call: ToolCall | None
    reason: str
    is_allowed: bool


@dataclass
class _Notes:
    """What the ports hear of one check."""

    call: ToolCall | None = None
    reason: str = ""


_NOTES: ContextVar[_Notes] = ContextVar("notes")


@dataclass
class Judge:
    """The authorizer. `judgements` are kept by the id of the request, which the tool sees, too."""

    place: str
    catalogue: Catalogue
    judgements: dict[str, list[Judgement]] = field(default_factory=dict)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Judge]:
        async with MemoryRecordLog(for_tests=True) as records:
            self._pipeline = self._assembled(records)
            server = grpc.aio.server()
            healthy = health.aio.HealthServicer()
            await healthy.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
            health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
            check = grpc.unary_unary_rpc_method_handler(self._check)
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {"Check": check}),))
            self._bodies = BodyHandler(records, SystemClock())
            process = grpc.stream_stream_rpc_method_handler(self._process)
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(BODY_SERVICE, {"Process": process}),))
            server.add_insecure_port(self.place)
            await server.start()
            try:
                yield self
            finally:
                await server.stop(None)

    def token(self) -> str:
        now = Epoch(time.time())
        return mint_token(
            _KEY,
            issuer="aegis",
            audience="mesh",
            scope=AGENT,
            now=now,
            ttl=Seconds(120),
            jti=Jti(SystemIds().token()),
        )

    def _assembled(self, records: MemoryRecordLog) -> Pipeline:
        clock = SystemClock()
        return Pipeline(
            self,
            Authenticator(Acceptance(frozenset({Way.TOKEN}), {}), SystemIds().token),
            self,
            self,
            Recorder(records, self, clock, required=True),
            clock,
            SystemIds(),
            CredentialFolder(None),
            StillSessionKeys(),
            Limits(total=8, pdp=4, environment="test", region=""),
            SlowLane(),
            Shares(lambda: 64),
            CountedPlaces(),
        )

    async def _check(self, message: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        request = external_auth_pb2.CheckRequest.FromString(message)
        http = request.attributes.request.http
        headers = tuple((entry.key, entry.raw_value.decode("latin-1")) for entry in http.header_map.headers)
        request_id = next((value for name, value in headers if name == "x-request-id"), "")
        notes = _Notes()
        _NOTES.set(notes)
        answer = await self._pipeline.check(message, "", time.monotonic() + 8)
        judgement = Judgement(
            http.method,
            http.path,
            http.host,
            headers,
            http.raw_body,
            notes.call,
            notes.reason,
            answer.effect.lets_through,
        )
        self.judgements.setdefault(request_id, []).append(judgement)
        return write_check_response(answer)

    async def _process(
        self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext[bytes, bytes]
    ) -> AsyncIterator[bytes]:
        async for reply in self._bodies.process(messages):
            yield reply

    # what the pipeline asks of its ports

    def current(self) -> Snapshot:
        jwk = okp_jwk(_KEY.public_key().public_bytes_raw())
        trust = Trust("aegis", "mesh", {jwk["kid"]: _KEY.public_key().public_bytes_raw()}, {}, 300, 5)
        bases = Bases(frozenset({("", "", "")}), {str(AGENT): "a"}, {name: name for name in self.catalogue.by_name})
        return Snapshot(
            _REVISION,
            self.catalogue,
            trust,
            NO_AGENTS,
            "http://control",
            frozenset(),
            None,
            PHRASES,
            bases,
            {},
            NO_BREAKERS,
            NO_PRICES,
            frozenset(),
            "http://control",
            None,
            NO_TELEMETRY_RULES,
            NO_RECORD_RULES,
        )

    async def at(self, revision: Revision, deadline: float) -> Snapshot:
        return self.current()

    async def evaluate(self, question: Evaluation, deadline: float) -> Decision:
        if question.call.kind is CallKind.UNCLAIMED:
            return denied(Reason.EGRESS_DENIED, "", _REVISION)
        _NOTES.get().call = question.call
        return Decision(Effect.ALLOW, Reason.ALLOWED, "", ("all",), _REVISION, (), (), None, None, None, ())

    def approval_id(self, scope: Scope, token: str) -> ApprovalId:
        return ApprovalId(f"apr_{token}")

    async def settle(self, settlement: Settlement, deadline: float) -> Settled:
        return Settled(SettleOutcome.CLEAR, ApprovalId(""), Epoch(0.0), "", (), Millis(0), None)

    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        _NOTES.get().reason = record.reason.value

    def refused(self, refusal: UnrecordedRefusal) -> None:
        _NOTES.get().reason = refusal.reason.value


def socket_in(folder: Path) -> str:
    return f"unix:{folder / 'judge.sock'}"
