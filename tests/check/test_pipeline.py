"""The pipeline with scripted ports: what each stage's refusal and each fault becomes.

The ports here are scripts of this test, not stand-ins: the real ones are held to their contracts in
tests/contract and tests/adapters, and run together in tests/e2e.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.content_coding import Reading
from aegis_authz.check.pipeline import Limits, Pipeline
from aegis_authz.check.record import Recorder
from aegis_authz.check.refusal_tally import FULL_OF_A_SOURCE
from aegis_authz.check.shares import Shares
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.core.approval import ApprovalProof, ApprovalUse, CallOutcome, Unattended
from aegis_authz.core.basis import Bases, approval_basis, judging_basis
from aegis_authz.core.breaker import NO_BREAKERS
from aegis_authz.core.catalogue import (
    JSON_ALONE,
    NO_ROUTE,
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.decision import (
    ApprovalTerms,
    Decision,
    Evaluation,
    Finding,
    InjectCredential,
    Obligation,
    Redact,
    RedactionTerms,
    SetHeader,
    Target,
)
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Way
from aegis_authz.core.interface import NO_INTERFACE, Interface, Method, Sending
from aegis_authz.core.price import NO_PRICES, ModelPrice, OnError, ParameterPrice, Prices, Pricing, TokenPrice
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import MOST_PATH, DecisionRecord, Record, RefusalsRecord, WholePath
from aegis_authz.core.record_terms import NO_RECORD_RULES, RecordedParameters, RecordRules
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import NO_AGENTS
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import NAMES_APPROVAL, SETTLE_REFUSALS, Settled, Settlement, SettleOutcome
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.telemetry_terms import (
    NO_TELEMETRY_RULES,
    OF_NOBODY,
    UNSAID,
    CallerTrace,
    ParameterDisplay,
    TelemetryRules,
    TelemetryTerms,
)
from aegis_authz.core.units import Epoch
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.costs.ticket import read_ticket
from aegis_authz.encoding.sealed_box import key_name
from aegis_authz.evidence.sealing import opened
from aegis_authz.identity.session import session_owner, wrapped_id
from aegis_authz.policy.language.operators import PHRASES
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import (
    LISTENER_EXTENSION,
    OPENED,
    ROUTE_EXTENSION,
    TUNNEL_EXTENSION,
    UNREAD,
    UNREAD_EXTENSION,
)
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER
from aegis_authz.wire.status_codes import STATUS_CODES
from tests.support.hold_places import CountedPlaces
from tests.support.session_keys import StillSessionKeys

UNHURRIED = 10.0
"""Seconds for what is done in a thread, which a busy machine may keep waiting."""
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
AMOUNT = Parameter("amount", ParameterSource.BODY, "/amount", ParameterType.NUMBER, False, None)
STRIPE = Tool(
    "stripe",
    "api.stripe.example",
    None,
    "",
    (Action("pay", "POST", ("v1", "payments"), (AMOUNT,), False, JSON_ALONE, ONE_OPERATION),),
    "",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)
GITHUB = Tool("github", "github.example", None, "", (), "/mcp", "", None, False, False, NO_INTERFACE)
TRUST = Trust(
    "aegis",
    "mesh",
    {"kid-1": KEY.public_key().public_bytes_raw()},
    {"kid-1": KEY.public_key().public_bytes_raw()},
    300,
    5,
)
BASES = Bases(frozenset({("", "", "")}), {"acme/emea/bot": "a"}, {"stripe": "s", "github": "g"})
SNAPSHOT = Snapshot(
    "r1",
    Catalogue.of((STRIPE, GITHUB)),
    TRUST,
    NO_AGENTS,
    "http://control",
    frozenset(),
    None,
    PHRASES,
    BASES,
    {},
    NO_BREAKERS,
    NO_PRICES,
    frozenset(),
    "http://control",
    None,
    NO_TELEMETRY_RULES,
    NO_RECORD_RULES,
)


def decision(effect: Effect = Effect.ALLOW, reason: Reason = Reason.ALLOWED, **changes: Any) -> Decision:
    given: dict[str, Any] = {
        "effect": effect,
        "reason": reason,
        "detail": "",
        "policies": ("p1",),
        "revision": "r1",
        "obligations": (),
        "findings": (),
        "approval": None,
        "would": None,
        "fault": None,
        "limits": (),
    }
    return Decision(**given | changes)


DEFAULT = Acceptance(frozenset({Way.TOKEN, Way.BOUND}), {})
TERMS = ApprovalTerms(("finance",), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
HELD = decision(
    Effect.APPROVAL_NEEDED,
    Reason.APPROVAL_NEEDED,
    approval=ApprovalTerms(("finance",), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
)


async def _never(*_: object) -> Any:
    await asyncio.Event().wait()


@dataclass
class World:
    """Every port of the pipeline, answering as the test says."""

    answers: list[Decision | Exception | Callable[..., Any]] = field(default_factory=lambda: [decision()])
    outcome: Settled | Exception | Callable[..., Any] | None = None
    snapshots: list[Snapshot | Exception] = field(default_factory=lambda: [SNAPSHOT])
    record_fault: Exception | Callable[..., Any] | None = None
    asked: list[Evaluation] = field(default_factory=list)
    until: list[float] = field(default_factory=list)
    settled: list[Settlement] = field(default_factory=list)
    records: list[DecisionRecord] = field(default_factory=list)
    counts: list[RefusalsRecord] = field(default_factory=list)
    told: list[DecisionRecord] = field(default_factory=list)
    refusals: list[UnrecordedRefusal] = field(default_factory=list)
    traces: list[DecisionTrace] = field(default_factory=list)
    authenticator: Authenticator = field(default_factory=lambda: Authenticator(DEFAULT, lambda: "f" * 32))
    region: str = ""
    total: float = 0.1
    places: CountedPlaces = field(default_factory=CountedPlaces)

    def now(self) -> float:
        return 1_800_000_000.0

    def monotonic(self) -> float:
        return time.monotonic()

    def decision_id(self) -> str:
        return "d-1"

    def token(self) -> str:
        return "f" * 32

    def current(self) -> Snapshot:
        first = self.snapshots[0]
        if isinstance(first, Exception):
            raise first
        return first

    async def at(self, revision: str, deadline: float) -> Snapshot:
        for snapshot in self.snapshots:
            if isinstance(snapshot, Snapshot) and snapshot.revision == revision:
                return snapshot
        raise Refused(Reason.REVISION_CHANGED, "moved on")

    async def evaluate(self, question: Evaluation, deadline: float) -> Decision:
        self.asked.append(question)
        self.until.append(deadline)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def approval_id(self, scope: Scope, token: str) -> str:
        return f"apr_{token}"

    async def settle(self, settlement: Settlement, deadline: float) -> Settled:
        self.settled.append(settlement)
        outcome = self.outcome
        if callable(outcome):
            outcome = await outcome()
        if isinstance(outcome, Exception):
            raise outcome
        if outcome is not None:
            return outcome
        if settlement.opens is not None:
            return Settled(SettleOutcome.OPENED, settlement.opens.id, settlement.opens.expires_at, "", (), 0, None)
        if settlement.claims is not None:
            return Settled(
                SettleOutcome.APPROVED, settlement.claims.approval_id, settlement.claims.expires_at, "ada", (), 0, None
            )
        return Settled(SettleOutcome.CLEAR, "", 0.0, "", (), 0, None)

    def secret(self, scope: Scope, name: str) -> str:
        if name != "known":
            raise Refused(Reason.OBLIGATION_UNMET, "no such credential")
        return f"{scope.org}-{scope.tenant}-secret"

    def session_keys(self) -> tuple[bytes, ...]:
        return StillSessionKeys().session_keys()

    async def append(self, record: Record) -> None:
        if callable(self.record_fault):
            await self.record_fault()
        elif self.record_fault is not None:
            raise self.record_fault
        if isinstance(record, RefusalsRecord):
            return self.counts.append(record)
        assert isinstance(record, DecisionRecord)
        return self.records.append(record)

    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        self.told.append(record)
        self.traces.append(trace)

    def refused(self, refusal: UnrecordedRefusal) -> None:
        self.refusals.append(refusal)

    async def check(self, request: bytes | None = None, require_record: bool = True, seconds: float = 0.3) -> Answer:
        sent = payment() if request is None else request
        return await self.pipeline(require_record).check(sent, "", time.monotonic() + seconds)

    def pipeline(self, require_record: bool = True) -> Pipeline:
        recorder = Recorder(self, self, self, require_record)
        return Pipeline(
            self,
            self.authenticator,
            self,
            self,
            recorder,
            self,
            self,
            self,
            self,
            Limits(total=self.total, pdp=0.05, environment="test", region=self.region),
            SlowLane(),
            Shares(lambda: 8),
            self.places,
        )


def token(**changes: Any) -> bytes:
    now = 1_800_000_000
    claims = {"iss": "aegis", "aud": "mesh", "sub": "acme/emea/bot", "org": "acme", "tenant": "emea", "agent": "bot"}
    claims |= {"jti": "j1", "iat": now - 1, "nbf": now - 1, "exp": now + 60} | changes
    return jwt.encode(claims, KEY, "EdDSA", {"typ": "aegis+jwt", "kid": "kid-1"}).encode()


def override(digest: str, /, **changes: Any) -> bytes:
    now = 1_800_000_000
    claims = {"iss": "aegis", "aud": "mesh", "sub": "acme/emea/bot", "apr": "apr_1", "digest": digest}
    claims |= {"basis": approval_basis(BASES.of(Scope("acme", "emea", "bot"), "stripe"), TERMS)}
    claims |= {"jti": "o1", "iat": now - 1, "exp": now + 60} | changes
    return jwt.encode(claims, KEY, "EdDSA", {"typ": "aegis-override+jwt", "kid": "kid-1"}).encode()


def routed(host: str) -> str:
    """Where Envoy forwards a request for this host, by the catalogue of SNAPSHOT."""
    tools = SNAPSHOT.catalogue.by_address.get((host, None), ())
    return tools[0].route if tools else NO_ROUTE


def message(
    host: str, path: str, body: bytes, headers: dict[str, bytes], method: str = "POST", route: str | None = None
) -> bytes:
    request = external_auth_pb2.CheckRequest()
    request.attributes.context_extensions[ROUTE_EXTENSION] = routed(host) if route is None else route
    request.attributes.context_extensions[LISTENER_EXTENSION] = "forward"
    http = request.attributes.request.http
    http.method, http.host, http.path, http.scheme, http.raw_body = method, host, path, "http", body
    for key, value in headers.items():
        http.header_map.headers.add(key=key, raw_value=value)
    return request.SerializeToString()


def payment(body: bytes = b'{"amount":4200}', **headers: bytes) -> bytes:
    given = {"x-aegis-token": token()} | {name.replace("_", "-"): value for name, value in headers.items()}
    return message("api.stripe.example", "/v1/payments", body, {name: value for name, value in given.items() if value})


def tool_call(name: str = "delete_repository") -> bytes:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": {}}})
    return message("github.example", "/mcp", body, {"x-aegis-token": token()})


async def test_the_end_of_all_stages_allows() -> None:
    world = World()
    answer = await world.check()
    assert answer.effect is Effect.ALLOW
    assert set(answer.removed_headers) == {
        "x-aegis-token",
        "x-aegis-proof",
        "x-aegis-approval",
        "proxy-authorization",
        "x-aegis-obligation",
    }
    assert [record.reason for record in world.records] == [Reason.ALLOWED]
    assert list(world.records[0].stages) == ["decode", "authenticate", "parse", "evaluate", "settle"]
    assert world.told == world.records


@pytest.mark.parametrize(
    ("request_bytes", "reason"),
    [
        (b"\xff\xff", Reason.REQUEST_UNREADABLE),
        (payment(content_length=b"99"), Reason.BODY_TRUNCATED),
        (payment(x_envoy_auth_partial_body=b"true"), Reason.BODY_TRUNCATED),
        (payment(content_encoding=b"gzip"), Reason.CONTENT_ENCODED),
        (payment(x_aegis_token=b""), Reason.CREDENTIAL_MISSING),
        (payment(proxy_authorization=b"Bearer x"), Reason.CREDENTIAL_AMBIGUOUS),
        (payment(x_aegis_token=b"", proxy_authorization=b"Basic x"), Reason.CREDENTIAL_MALFORMED),
    ],
    ids=lambda value: value.value if isinstance(value, Reason) else "",
)
async def test_a_refusal_before_the_token_is_known_settles_nothing_and_is_recorded(
    request_bytes: bytes, reason: Reason
) -> None:
    world = World()
    answer = await world.check(request_bytes)
    assert (answer.effect, world.records[0].reason) == (Effect.DENY, reason)
    assert world.settled == []


async def test_the_record_holds_the_beginning_of_a_long_path_and_what_tells_it_from_others() -> None:
    world = World()
    path = "/" + "p" * 55_000
    await world.check(message("api.stripe.example", path, b"", {}))
    assert world.records[0].path == path[:MOST_PATH]
    assert world.records[0].whole_path == WholePath(55_001, hashlib.sha256(path.encode()).hexdigest())
    await world.check(message("api.stripe.example", path[:MOST_PATH], b"", {}))
    assert (world.records[1].path, world.records[1].whole_path) == (path[:MOST_PATH], None)


async def test_the_record_holds_the_callers_own_request_id_bounded_and_without_surprises() -> None:
    world = World()
    await world.check(payment(x_request_id=b"order-17 \x1b[2J" + b"x" * 200))
    assert world.records[0].request_id == "order-17??[2J" + "x" * 115


async def test_the_trace_of_the_caller_goes_on_where_the_proxy_told_none() -> None:
    world = World()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    span = f"00-{trace}-00f067aa0ba902b7-00".encode()
    await world.check(payment(traceparent=span))
    await world.pipeline().check(payment(traceparent=span), f"00-{'a' * 32}-{'b' * 16}-01", time.monotonic() + 1)
    await world.check(payment(traceparent=b"00-rubbish"))
    assert [record.trace_id for record in world.records] == [trace, "a" * 32, ""]
    caller, envoy = f"00-{trace}-00f067aa0ba902b7-01", f"00-{'a' * 32}-{'b' * 16}-01"
    assert world.traces == [
        DecisionTrace(caller, (), UNSAID),
        DecisionTrace(envoy, (caller,), UNSAID),
        DecisionTrace("", (), UNSAID),
    ]


async def test_whoever_shows_no_credential_chooses_no_trace_and_has_no_parameters_shown() -> None:
    world = World()
    span = f"00-{'c' * 32}-{'d' * 16}-01"
    await world.check(message("api.stripe.example", "/v1/payments", b"", {"traceparent": span.encode()}))
    assert world.traces == [DecisionTrace("", (span,), OF_NOBODY)]


async def test_documents_say_what_spans_may_show_of_an_agents_calls() -> None:
    terms = TelemetryTerms(ParameterDisplay.HASHED, CallerTrace.LINK)
    world = World(snapshots=[replace(SNAPSHOT, telemetry=TelemetryRules.by({"acme/emea/*": terms}))])
    await world.check(payment(traceparent=f"00-{'c' * 32}-{'d' * 16}-01".encode()))
    assert world.traces == [DecisionTrace("", (f"00-{'c' * 32}-{'d' * 16}-01",), terms)]


def recording(word: RecordedParameters, *answers: Decision) -> World:
    """A world in which documents say what records hold."""
    rules = RecordRules.by({"acme/emea/*": word})
    return World(snapshots=[replace(SNAPSHOT, records=rules)], answers=list(answers) or [decision()])


async def test_a_record_that_is_to_hold_no_parameters_holds_neither_them_nor_the_path_they_may_stand_in() -> None:
    world = recording(RecordedParameters.HASHED)
    await world.check(payment())
    [record] = world.records
    assert (record.parameters, record.withheld, record.path) == ({}, 1, "")
    assert record.whole_path == WholePath(12, hashlib.sha256(b"/v1/payments").hexdigest())
    assert record.digest != ""
    assert world.told[0].parameters == {}


@pytest.mark.parametrize(
    "request_bytes",
    [
        payment(b'{"amount":"x"}'),
        message("api.stripe.example", "/v1/customers/078-05-1120", b"", {"x-aegis-token": token()}),
    ],
    ids=["type", "action"],
)
async def test_such_a_record_does_not_hold_the_path_of_a_call_that_cannot_be_read_either(request_bytes: bytes) -> None:
    world = recording(RecordedParameters.HASHED)
    await world.check(request_bytes)
    [record] = world.records
    assert (record.tool, record.path, record.whole_path is None) == ("", "", False)
    assert "078-05-1120" not in record.detail


async def test_a_record_that_is_sealed_is_one_in_the_clear_to_the_auditor_and_shows_others_nothing() -> None:
    scopes = {"acme/emea/*": RecordedParameters.SEALED}
    auditor = X25519PrivateKey.from_private_bytes(b"a" * 32)
    rules = RecordRules.by(scopes, {"acme/emea/*": auditor.public_key().public_bytes_raw()})
    world, clear = World(snapshots=[replace(SNAPSHOT, records=rules)]), recording(RecordedParameters.CLEAR)
    await world.check(payment())
    await clear.check(payment())
    [record], [plain] = world.records, clear.records
    assert (record.parameters, record.withheld, record.path) == ({}, 1, "")
    assert record.sealed is not None
    assert record.sealed.key_id == key_name(auditor.public_key().public_bytes_raw())
    assert world.told[0].parameters == {}
    fields = ("parameters", "withheld", "path", "whole_path", "identity", "digest", "sealed")
    again = opened(record, [X25519PrivateKey.from_private_bytes(b"b" * 32), auditor])
    assert [getattr(again, name) for name in fields] == [getattr(plain, name) for name in fields]


async def test_what_is_redacted_from_a_request_is_not_sealed_either() -> None:
    auditor = X25519PrivateKey.from_private_bytes(b"a" * 32)
    rules = RecordRules.by(
        {"acme/emea/*": RecordedParameters.SEALED}, {"acme/emea/*": auditor.public_key().public_bytes_raw()}
    )
    redaction = decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(Redact(Target.REQUEST, ("us_ssn",), ()),))
    world = World(snapshots=[replace(SNAPSHOT, records=rules)], answers=[redaction])
    await world.check(payment())
    again = opened(world.records[0], [auditor])
    assert (again.parameters, again.withheld) == ({}, 1)


async def test_a_record_that_is_to_hold_all_parameters_holds_those_of_a_call_whose_answer_is_redacted() -> None:
    redaction = decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(Redact(Target.RESPONSE, ("us_ssn",), ()),))
    world = recording(RecordedParameters.CLEAR, redaction)
    await world.check(payment())
    [record] = world.records
    assert (record.parameters, record.withheld) == ({"amount": 4200}, 0)
    assert world.told[0].parameters == {}  # telemetry has terms of its own


async def test_telemetry_hears_no_parameters_of_a_redacted_call_that_cannot_be_recorded_either() -> None:
    redaction = decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(Redact(Target.RESPONSE, ("us_ssn",), ()),))
    world = recording(RecordedParameters.CLEAR, redaction)
    world.record_fault = Refused(Reason.RECORD_FAILED, "disk full")
    await world.check(payment())
    assert (world.told[0].reason, world.told[0].parameters) == (Reason.RECORD_FAILED, {})


@pytest.mark.parametrize(
    "obligation", [Redact(Target.REQUEST, ("us_ssn",), ()), RedactionTerms(Target.REQUEST, False, False, False, ())]
)
async def test_what_is_redacted_from_a_request_stands_in_no_record_whatever_documents_say(
    obligation: Obligation,
) -> None:
    redact = Redact(Target.RESPONSE, ("us_ssn",), ())
    world = recording(
        RecordedParameters.CLEAR, decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(redact, obligation))
    )
    await world.check(payment())
    assert (world.records[0].parameters, world.records[0].withheld) == ({}, 1)


@pytest.mark.parametrize("word", [RecordedParameters.DECLARED, RecordedParameters.CLEAR])
@pytest.mark.parametrize("outcome", [SettleOutcome.REPLAYED, SettleOutcome.QUARANTINED])
async def test_what_policy_redacts_from_a_request_stands_in_no_record_of_a_refusal_either(
    word: RecordedParameters, outcome: SettleOutcome
) -> None:
    redact = Redact(Target.REQUEST, ("us_ssn",), ())
    world = recording(word, decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(redact,)))
    world.outcome = Settled(outcome, "", 0.0, "", (), 0, None)
    assert (await world.check(payment())).effect is Effect.DENY
    [record] = world.records
    assert (record.parameters, record.withheld, record.obligations) == ({}, 1, ())
    assert world.told[0].parameters == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"amount":1,"amount":2}', Reason.DUPLICATE_KEY),
        (b"{", Reason.MALFORMED_CALL),
        (b'{"amount":"x"}', Reason.PARAMETER_TYPE),
    ],
)
async def test_a_refusal_after_it_spends_the_token_without_asking_opa(body: bytes, reason: Reason) -> None:
    world = World()
    assert (await world.check(payment(body))).effect is Effect.DENY
    assert world.records[0].reason is reason
    assert [settlement.identity.jti for settlement in world.settled] == ["j1"]
    assert world.asked == []


@pytest.mark.parametrize(
    ("request_bytes", "where", "at", "words"),
    [
        (payment(b'{"amount":"4200"}'), "body", "/amount", "must be a number, and is a string"),
        (payment(b'{"amount":1,}'), "body", "line 1, column 12", "trailing comma"),
        (payment(b'{"amount":1,"amount":2}'), "body", "amount", 'the member "amount" twice'),
        (payment(content_length=b"99"), "body", "", "not as many as content-length says"),
        (payment(content_encoding=b"gzip"), "headers", "content-encoding", '"gzip"'),
        (message("bad host", "/", b"", {}), "headers", "host", "The host is not a name"),
        (message("api.stripe.example", "/v1/x", b"", {"x-aegis-token": token()}), "path", "", '"/v1/x"'),
    ],
    ids=["type", "syntax", "double", "length", "encoding", "host", "action"],
)
async def test_the_caller_reads_what_is_wrong_with_its_text_and_the_record_does_not(
    request_bytes: bytes, where: str, at: str, words: str
) -> None:
    world = World()
    answer = await world.check(request_bytes)
    body = orjson.loads(answer.body)
    assert (body["fault"]["in"], body["fault"]["at"]) == (where, at)
    assert words in body["fault"]["problem"] and words in body["detail"]
    assert body["detail"] == body["error"]["message"]
    assert body["fault"]["problem"] not in world.records[0].detail


async def test_the_details_of_our_own_faults_are_for_the_record_alone() -> None:
    for fault in (Refused(Reason.PDP_UNAVAILABLE, "opa at /run/opa.sock"), RuntimeError("opa at /run/opa.sock")):
        world = World(answers=[fault])
        answer = await world.check()
        assert b"opa" not in answer.body and "fault" not in orjson.loads(answer.body)
        assert orjson.loads(answer.body)["error"]["type"] == "api_error"


async def test_an_agent_with_more_than_a_share_under_way_is_refused_before_anything_is_asked() -> None:
    world = World()
    pipeline = replace(world.pipeline(), shares=Shares(lambda: 2))
    agent = Scope("acme", "emea", "bot")
    for _ in range(2):
        assert pipeline.shares.enter(agent, world.monotonic())
    await pipeline.check(payment(), "", time.monotonic() + 1)
    assert world.records[-1].reason is Reason.OVERLOADED
    assert (world.asked, world.settled) == ([], [])
    pipeline.shares.leave(agent)
    await pipeline.check(payment(), "", time.monotonic() + 1)
    await pipeline.check(payment(), "", time.monotonic() + 1)
    assert [record.reason for record in world.records[1:]] == [Reason.ALLOWED] * 2


def connect(**headers: bytes) -> bytes:
    """A CONNECT whose tunnel Envoy ends."""
    request = external_auth_pb2.CheckRequest.FromString(message("api.stripe.example:443", "", b"", headers, "CONNECT"))
    request.attributes.context_extensions[TUNNEL_EXTENSION] = OPENED
    return request.SerializeToString()


async def test_a_tunnel_of_an_agent_with_more_than_a_share_under_way_is_refused_and_one_of_nobody_known_is_opened() -> (
    None
):
    world = World()
    pipeline = replace(world.pipeline(), shares=Shares(lambda: 2))
    agent = Scope("acme", "emea", "bot")
    shown = connect(**{"proxy-authorization": b"Bearer " + token()})
    for _ in range(2):
        assert pipeline.shares.enter(agent, world.monotonic())
    for request in (shown, connect()):
        await pipeline.check(request, "", time.monotonic() + 1)
    pipeline.shares.leave(agent)
    for _ in range(3):
        await pipeline.check(shown, "", time.monotonic() + 1)
    assert [record.reason for record in world.records] == [Reason.OVERLOADED, *[Reason.TUNNEL_OPENED] * 4]


async def test_what_becomes_of_a_tunnel_is_told_where_somebody_known_opened_it() -> None:
    pipeline = World().pipeline()
    shown = connect(**{"proxy-authorization": b"Bearer " + token()})
    answers = [await pipeline.check(request, "", time.monotonic() + 1) for request in (shown, connect(), payment())]
    assert [answer.effect for answer in answers] == [Effect.ALLOW] * 3
    assert [answer.is_followed for answer in answers] == [True, False, True]


async def test_refusals_without_a_token_are_counted_and_the_count_is_recorded() -> None:
    world = World()
    pipeline = world.pipeline()
    for _ in range(50):
        answer = await pipeline.check(payment(x_aegis_token=b""), "", time.monotonic() + 1)
        assert answer.effect is Effect.DENY
    assert len(world.records) == FULL_OF_A_SOURCE
    assert world.told == world.records
    assert {(refusal.reason, refusal.identity) for refusal in world.refusals} == {(Reason.CREDENTIAL_MISSING, None)}
    assert {tuple(refusal.stages) for refusal in world.refusals} == {("decode",)}
    assert len(world.refusals) == 50 - FULL_OF_A_SOURCE
    world.record_fault = Refused(Reason.RECORD_FAILED, "full")
    await pipeline.recorder.keep_counts()
    world.record_fault = None
    await pipeline.recorder.keep_counts()
    assert [count.count for count in world.counts] == [50 - FULL_OF_A_SOURCE]


async def test_what_was_settled_for_a_known_agent_leaves_a_record_however_often_it_comes() -> None:
    world = World()
    pipeline = world.pipeline()
    request = external_auth_pb2.CheckRequest.FromString(tool_call())
    for _ in range(2):
        request.attributes.request.http.header_map.headers.add(key="mcp-session-id", raw_value=b"s")
    for _ in range(50):
        await pipeline.check(request.SerializeToString(), "", time.monotonic() + 1)
    assert {record.reason for record in world.records} == {Reason.AMBIGUOUS_HEADERS}
    assert (len(world.records), len(world.settled), world.refusals) == (50, 50, [])


async def test_a_refusal_beyond_an_agents_share_is_counted_for_its_tenant() -> None:
    world = World()
    shares = Shares(lambda: 0)
    while shares.enter(Scope("acme", "emea", "bot"), world.monotonic()):
        pass
    pipeline = replace(world.pipeline(), shares=shares)
    for _ in range(50):
        await pipeline.check(payment(), "", time.monotonic() + 1)
    assert {record.reason for record in world.records} == {Reason.OVERLOADED}
    assert len(world.records) == FULL_OF_A_SOURCE
    assert {str(refusal.identity.scope) for refusal in world.refusals if refusal.identity} == {"acme/emea/bot"}


async def test_a_dense_body_and_a_long_form_are_read_beside_the_loop_in_the_lane_of_its_agent() -> None:
    class NotedLane(SlowLane[Reading]):
        agents: ClassVar[list[Scope]] = []

        async def do(self, agent: Scope, work: Callable[[], Reading]) -> Reading:
            self.agents.append(agent)
            return await super().do(agent, work)

    world, lane = World(), NotedLane()
    pipeline = replace(world.pipeline(), slow_lane=lane)
    for name, reason in (("amount", Reason.PARAMETER_TYPE), ("others", Reason.PARAMETER_UNKNOWN)):
        body = b'{"%b":[%b]}' % (name.encode(), b",".join([b"1.5"] * 10_000))
        await pipeline.check(payment(body), "", time.monotonic() + 5)
        assert world.records[-1].reason is reason
    await pipeline.check(payment(), "", time.monotonic() + 5)
    assert lane.agents == [Scope("acme", "emea", "bot")] * 2
    forms = replace(STRIPE, actions=tuple(replace(action, bodies=(BodyFormat.FORM,)) for action in STRIPE.actions))
    world = World(snapshots=[replace(SNAPSHOT, catalogue=Catalogue.of((forms, GITHUB)))])
    form = payment(b"amount=" + b"4" * 2048, content_type=b"application/x-www-form-urlencoded")
    await replace(world.pipeline(), slow_lane=lane).check(form, "", time.monotonic() + 5)
    assert lane.agents == [Scope("acme", "emea", "bot")] * 3
    lane.close()


async def test_an_encoded_body_is_judged_decoded_where_the_tool_takes_it_and_the_processor_is_told_what_must_come_out() -> (
    None
):
    decoding = replace(SNAPSHOT, catalogue=Catalogue.of((replace(STRIPE, decode=True), GITHUB)))
    world = World(snapshots=[decoding], total=UNHURRIED)
    body = b'{"amount":4200}'
    answer = await world.check(payment(gzip.compress(body), content_encoding=b"gzip"), seconds=UNHURRIED)
    assert (answer.effect, answer.upstream_headers[OBLIGATION_HEADER]) == (Effect.ALLOW, "request")
    assert answer.metadata["coding"] == "gzip"
    assert answer.metadata["body_sha256"] == hashlib.sha256(body).hexdigest()
    await world.check(payment(body))
    encoded, bare = world.records
    assert (encoded.digest, encoded.parameters) == (bare.digest, bare.parameters)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(b'{"amount":4200}') + b"x", Reason.MALFORMED_CALL),
        (gzip.compress(b'{"amount":4200,"amount":1}'), Reason.DUPLICATE_KEY),
        (gzip.compress(b" " * 2_000_000), Reason.BODY_TRUNCATED),
    ],
    ids=["two readings", "a member twice", "a bomb"],
)
async def test_an_encoded_body_that_cannot_be_judged_is_refused_and_spends_the_token(
    body: bytes, reason: Reason
) -> None:
    catalogue = Catalogue.of((replace(STRIPE, decode=True), GITHUB))
    world = World(snapshots=[replace(SNAPSHOT, catalogue=catalogue)], total=UNHURRIED)
    answer = await world.check(payment(body, content_encoding=b"gzip"), seconds=UNHURRIED)
    assert (answer.effect, world.records[0].reason) == (Effect.DENY, reason)
    assert len(world.settled) == 1


@pytest.mark.parametrize(
    "reason", [Reason.PDP_UNAVAILABLE, Reason.PDP_TIMEOUT, Reason.DECISION_UNDEFINED, Reason.DECISION_MALFORMED]
)
async def test_a_pdp_that_gives_no_decision_denies_and_spends_the_token(reason: Reason) -> None:
    world = World(answers=[Refused(reason, "why")])
    answer = await world.check()
    assert (answer.effect, answer.status) == (Effect.DENY, STATUS_CODES[reason].http)
    assert (world.records[0].reason, world.records[0].detail) == (reason, "why")
    assert len(world.settled) == 1
    assert b"why" not in answer.body


async def test_a_pdp_that_had_no_time_is_asked_once_more_within_its_time() -> None:
    world = World(answers=[Refused(Reason.PDP_TIMEOUT, "busy"), decision()])
    began = time.monotonic()
    assert (await world.check()).effect is Effect.ALLOW
    assert len(world.settled) == 1
    first, second = world.until
    assert began < first < second <= time.monotonic() + 0.05


@pytest.mark.parametrize(
    ("reason", "times"), [(Reason.PDP_TIMEOUT, 2), (Reason.PDP_UNAVAILABLE, 1), (Reason.DECISION_MALFORMED, 1)]
)
async def test_no_other_fault_of_the_pdp_is_asked_again(reason: Reason, times: int) -> None:
    world = World(answers=[Refused(reason, "why")])
    assert (await world.check()).effect is Effect.DENY
    assert len(world.asked) == times


@pytest.mark.parametrize("outcome", SETTLE_REFUSALS.keys() - {SettleOutcome.LIMIT_EXCEEDED})
@pytest.mark.parametrize(
    "judged", [decision(), HELD, decision(Effect.DENY, Reason.POLICY_DENIED)], ids=lambda d: d.effect.value
)
async def test_a_refusal_of_the_store_wins_over_every_verdict(outcome: SettleOutcome, judged: Decision) -> None:
    world = World(answers=[judged], outcome=Settled(outcome, "", 0.0, "", (), 0, None))
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is SETTLE_REFUSALS[outcome]


@pytest.mark.parametrize("judged", [HELD, decision()], ids=lambda d: d.effect.value)
async def test_an_outcome_nobody_asked_for_denies(judged: Decision) -> None:
    outcomes = [SettleOutcome.CLEAR] if judged is HELD else list(NAMES_APPROVAL)
    for outcome in (*outcomes, SettleOutcome.APPROVED):  # granted by nobody
        world = World(answers=[judged], outcome=Settled(outcome, "", 0.0, "", (), 0, None))
        assert (await world.check()).effect is Effect.DENY
        assert world.records[0].reason is Reason.INTERNAL_FAULT


async def test_a_held_call_opens_an_approval_and_says_what_to_do() -> None:
    world = World(answers=[HELD])
    answer = await world.check()
    body = orjson.loads(answer.body)
    assert answer.effect is Effect.APPROVAL_NEEDED
    assert answer.client_headers["x-aegis-approval-id"] == body["approval"]["id"] == world.records[0].approval_id
    assert body["approval"]["status_url"].startswith("http://control/v1/approvals/apr_")
    assert body["retry"] == "after_approval"
    assert "override token" in body["detail"]


async def test_a_call_whose_approval_became_stale_is_held_again_and_told_so() -> None:
    world = World(answers=[HELD], outcome=Settled(SettleOutcome.REOPENED, "apr_2", 1_800_000_900.0, "", (), 0, None))
    body = orjson.loads((await world.check()).body)
    assert (body["decision"], body["approval"]["id"]) == ("approval_needed", "apr_2")
    assert "is stale: a policy of this agent, or the tool, was changed since" in body["detail"]


async def test_an_approval_is_bound_to_what_judges_and_to_no_more() -> None:
    agent, bases = Scope("acme", "emea", "bot"), []
    for revision, changed in (("r1", BASES), ("r2", BASES), ("r3", replace(BASES, tools={"stripe": "other"}))):
        snapshot = replace(SNAPSHOT, revision=revision, bases=changed)
        world = World(snapshots=[snapshot], answers=[replace(HELD, revision=revision)])
        await world.check()
        held = world.settled[0].opens
        assert held is not None
        basis = approval_basis(snapshot.basis_of(agent, "stripe"), TERMS)
        assert (held.revision, held.basis, held.decision_id) == (revision, basis, "d-1")
        bases.append(held.basis)
    assert bases[0] == bases[1] != bases[2]


async def test_where_a_bundle_tells_no_bases_every_publication_makes_approvals_stale() -> None:
    world = World(snapshots=[replace(SNAPSHOT, bases=None)], answers=[HELD])
    await world.check()
    held = world.settled[0].opens
    assert held is not None
    assert judging_basis(held.basis) == "r1"
    await world.check(payment(x_aegis_approval=override(held.digest)))
    assert world.records[1].reason is Reason.APPROVAL_STALE


@pytest.mark.parametrize(
    "terms",
    [
        ApprovalTerms(("finance",), 900, 3, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
        ApprovalTerms(("board",), 900, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
        ApprovalTerms(("finance",), 900, 1, ("amount",), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE),
    ],
    ids=["more people", "other groups", "a typed value"],
)
async def test_an_approval_given_on_milder_terms_lets_nothing_through_that_needs_stricter_ones(
    terms: ApprovalTerms,
) -> None:
    """Rules differ by the hour: what judges is the same, and what an approval must be is not."""
    stricter = replace(HELD, approval=terms)
    world = World(answers=[HELD, stricter, stricter])
    await world.check()
    mild = world.settled[0].opens
    await world.check()
    strict = world.settled[1].opens
    assert mild is not None and strict is not None and mild.digest == strict.digest
    assert mild.basis != strict.basis  # to the store the former is stale
    shown = override(mild.digest, basis=mild.basis)
    assert (await world.check(payment(x_aegis_approval=shown))).effect is Effect.DENY
    assert (world.records[2].reason, world.settled[2].claims) == (Reason.APPROVAL_STALE, None)


async def _digest() -> str:
    world = World()
    await world.check()
    return world.records[0].digest


async def test_an_override_for_this_very_call_is_used_and_lets_it_through() -> None:
    world = World(answers=[HELD])
    answer = await world.check(payment(x_aegis_approval=override(await _digest())))
    assert (answer.effect, world.records[0].reason) == (Effect.ALLOW, Reason.APPROVED)
    assert world.settled[0].claims is not None
    assert world.settled[0].opens is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"digest": "0" * 64}, Reason.APPROVAL_MISMATCH),
        ({"sub": "acme/emea/other"}, Reason.APPROVAL_MISMATCH),
        ({"basis": "another"}, Reason.APPROVAL_STALE),
        ({"exp": 1_700_000_000}, Reason.APPROVAL_EXPIRED),
        ({"aud": "elsewhere"}, Reason.APPROVAL_INVALID),
    ],
    ids=str,
)
async def test_an_override_for_anything_else_denies_even_what_policy_allows(
    changes: dict[str, Any], reason: Reason
) -> None:
    world = World()
    shown = override(await _digest(), **changes)
    assert (await world.check(payment(x_aegis_approval=shown))).effect is Effect.DENY
    assert world.records[0].reason is reason
    assert world.settled[0].claims is None


async def test_an_override_that_is_not_needed_is_not_used_up() -> None:
    world = World()
    await world.check(payment(x_aegis_approval=override(await _digest())))
    assert world.settled[0].claims is None


async def test_obligations_choose_the_processor_and_keep_parameters_out_of_the_record() -> None:
    redactions = (Redact(Target.REQUEST, ("us_ssn",), ()), Redact(Target.RESPONSE, (), ("/notes",)))
    world = World(answers=[decision(Effect.SANITIZE, Reason.SANITIZED, obligations=redactions)])
    answer = await world.check()
    assert answer.upstream_headers["x-aegis-obligation"] == "both"
    assert "x-aegis-obligation" not in answer.removed_headers
    assert orjson.loads(answer.metadata["obligations"])[0]["detectors"] == ["us_ssn"]
    assert world.records[0].parameters == {}


async def test_a_held_call_that_was_granted_goes_through_without_its_override_token() -> None:
    world = World(answers=[HELD], outcome=Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None))
    answer = await world.check()
    assert (answer.effect, world.records[0].reason) == (Effect.ALLOW, Reason.APPROVED)


async def test_the_use_of_an_approval_is_noted_for_whoever_learns_what_became_of_the_call() -> None:
    world = World(answers=[HELD], outcome=Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None))
    assert read_ticket((await world.check()).metadata["cost"]).approval == "apr_1"
    assert "cost" not in (await World(answers=[decision()]).check()).metadata


@pytest.mark.parametrize(
    ("outcome", "words", "facts"),
    [
        (None, "let through at 2027-01-15T08:00:00.000Z, outcome unknown", None),
        (
            CallOutcome(503, Epoch(1_800_000_001.0), True),
            "let through at 2027-01-15T08:00:00.000Z, answered with status 503 at 2027-01-15T08:00:01.000Z",
            {"status": 503, "time": 1_800_000_001.0, "was_reached": True},
        ),
    ],
)
async def test_who_shows_a_used_approval_again_is_told_what_became_of_the_call(
    outcome: CallOutcome | None, words: str, facts: dict[str, Any] | None
) -> None:
    use = ApprovalUse(Epoch(1_800_000_000.0), outcome)
    world = World(answers=[HELD], outcome=Settled(SettleOutcome.APPROVAL_USED, "", 0.0, "", (), 0, use))
    answer = await world.check(payment(x_aegis_approval=override(await _digest())))
    body = orjson.loads(answer.body)
    assert (answer.effect, body["reason"]) == (Effect.DENY, "APPROVAL_USED")
    assert f"The call that used it was {words}." in body["detail"]
    assert body["approval_use"] == {"time": 1_800_000_000.0, "outcome": facts}
    assert world.records[0].detail == words


async def test_a_grant_lets_nothing_through_that_was_not_to_be_held() -> None:
    for verdict in (decision(), decision(Effect.DENY, Reason.POLICY_DENIED)):
        world = World(
            answers=[verdict], outcome=Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None)
        )
        assert (await world.check()).effect is Effect.DENY


async def test_policy_and_approver_are_told_the_session_that_the_token_names() -> None:
    world = World(answers=[HELD])
    await world.check(payment(x_aegis_token=token(sid="task-4711")))
    held = world.settled[0].opens
    assert held is not None
    assert (world.asked[0].session, held.session) == ("task-4711", "task-4711")
    await world.check(payment(x_aegis_session=b"task-4711"))  # what an agent says itself names no session
    assert world.asked[1].session == ""


async def test_a_call_in_an_mcp_session_is_of_that_session_told_by_the_digest_of_its_id() -> None:
    owner = session_owner(Scope("acme", "emea", "bot"), "github", SNAPSHOT.catalogue.routes["github"])
    shown = wrapped_id("s-1", owner, StillSessionKeys().keys)
    sessions = []
    for method, params in (("tools/call", {"name": "list_issues", "arguments": {}}), ("initialize", {})):
        body = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        world = World()
        await world.check(
            message("github.example", "/mcp", body, {"x-aegis-token": token(), "mcp-session-id": shown.encode()})
        )
        sessions.append(world.asked[0].session)
    assert sessions == [f"mcp:{hashlib.sha256(shown.encode()).hexdigest()}", ""]


async def test_an_approver_sees_whose_call_it_is_and_what_no_rule_judges() -> None:
    noting = replace(STRIPE, actions=(replace(STRIPE.actions[0], others=True),))
    world = World(snapshots=[replace(SNAPSHOT, catalogue=Catalogue.of((noting, GITHUB)))], answers=[HELD])
    served = token(on_behalf_of="ann@acme.example", act={"sub": "planner"})
    await world.check(payment(b'{"amount":7000,"memo":"x","to":{"iban":"y"}}', x_aegis_token=served))
    held = world.settled[0].opens
    assert held is not None
    assert held.besides == {
        "request": "POST api.stripe.example/v1/payments",
        "/memo": "x",
        "/to": {"iban": "y"},
        "on_behalf_of": "ann@acme.example",
        "acted_by": ["planner"],
    }


async def test_an_approver_sees_what_policy_makes_of_the_call() -> None:
    obligations = (
        SetHeader("stripe-account", "acct_1"),
        InjectCredential("authorization", "known", "Bearer "),
        Redact(Target.REQUEST, ("us_ssn",), ("/memo",)),
        Redact(Target.RESPONSE, ("iban",), ()),
    )
    world = World(answers=[replace(HELD, obligations=obligations)])
    await world.check()
    held = world.settled[0].opens
    assert held is not None
    assert held.besides == {
        "request": "POST api.stripe.example/v1/payments",
        "header stripe-account": "acct_1",
        "header authorization": "Bearer (the credential known)",
        "redacted before the tool sees it": ["/memo", "us_ssn"],
    }


async def test_what_is_approved_for_one_person_is_another_call_for_another() -> None:
    digests = set()
    for claims in (
        {},
        {"on_behalf_of": "ann@acme.example"},
        {"on_behalf_of": "bob@acme.example"},
        {"act": {"sub": "ann"}},
    ):
        world = World(answers=[HELD])
        await world.check(payment(x_aegis_token=token(**claims)))
        held = world.settled[0].opens
        assert held is not None
        digests.add(held.digest)
    assert len(digests) == 4


async def test_what_nobody_can_be_shown_is_denied_instead_of_held() -> None:
    noting = Tool(
        "notes",
        "notes.example",
        None,
        "",
        (Action("note", "POST", ("notes",), (), others=False, bodies=JSON_ALONE, operations=ONE_OPERATION),),
        "",
        "",
        None,
        False,
        False,
        NO_INTERFACE,
    )
    snapshot = replace(SNAPSHOT, catalogue=Catalogue.of((noting,)))
    for size, reason in ((30_000, Reason.APPROVAL_NEEDED), (40_000, Reason.APPROVAL_TOO_LARGE)):
        world = World(snapshots=[snapshot], answers=[HELD])
        body = orjson.dumps({"text": "x" * size})
        await world.check(message("notes.example", "/notes", body, {"x-aegis-token": token()}, route=noting.route))
        assert [record.reason for record in world.records] == [reason]
        assert (world.settled[0].opens is None) == (reason is Reason.APPROVAL_TOO_LARGE)


MOVED = replace(STRIPE, upstream="http://10.0.0.9:9001")


@pytest.mark.parametrize("route", ["", NO_ROUTE, MOVED.route, GITHUB.route])
async def test_a_call_that_envoy_would_forward_elsewhere_is_refused_and_spends_its_token(route: str) -> None:
    world = World()
    request = message("api.stripe.example", "/v1/payments", b'{"amount":1}', {"x-aegis-token": token()}, route=route)
    answer = await world.check(request)
    assert (answer.effect, answer.status, answer.client_headers["retry-after"]) == (Effect.DENY, 503, "1")
    assert [record.reason for record in world.records] == [Reason.ROUTE_MISMATCH]
    assert (len(world.settled), world.asked) == (1, [])


async def test_a_call_of_which_envoy_has_no_body_yet_is_refused_where_it_is_judged_by_one() -> None:
    world = World()
    request = message("api.stripe.example", "/v1/payments", b"", {"x-aegis-token": token()}, route=STRIPE.route)
    unread = external_auth_pb2.CheckRequest.FromString(request)
    unread.attributes.context_extensions[UNREAD_EXTENSION] = UNREAD
    await world.check(unread.SerializeToString())
    assert [record.reason for record in world.records] == [Reason.ROUTE_MISMATCH]
    assert world.asked == []


async def test_a_stream_is_judged_whatever_length_its_head_tells() -> None:
    talk = Action("talk", "POST", ("pay.v1.Payments", "Talk"), (), False, (BodyFormat.MESSAGE,), ONE_OPERATION)
    interface = Interface({"talk": Method(Sending.OPAQUE, "")}, {}, {})
    rpc = Tool("stripe-payments", "rpc.example", None, "", (talk,), "", "", None, False, False, interface)
    world = World(snapshots=[replace(SNAPSHOT, catalogue=Catalogue.of((rpc,)))])
    headers = {"x-aegis-token": token(), "content-type": b"application/grpc", "content-length": b"40"}
    request = message("rpc.example", "/pay.v1.Payments/Talk", b"", headers, route=rpc.route)
    unread = external_auth_pb2.CheckRequest.FromString(request)
    unread.attributes.context_extensions[UNREAD_EXTENSION] = UNREAD
    await world.check(unread.SerializeToString())
    assert [record.reason for record in world.records] == [Reason.ALLOWED]


async def test_a_call_of_no_tool_that_envoy_would_forward_is_refused() -> None:
    world = World()
    await world.check(message("gone.example", "/", b"", {"x-aegis-token": token()}, route=STRIPE.route))
    assert [record.reason for record in world.records] == [Reason.ROUTE_MISMATCH]


async def test_a_route_is_held_against_the_revision_that_judges() -> None:
    """The first snapshot is older than both OPA's bundle and Envoy's routes: the newer one fits both."""
    newer = replace(SNAPSHOT, revision="r2", catalogue=Catalogue.of((MOVED, GITHUB)))
    body, headers = b'{"amount":1}', {"x-aegis-token": token()}
    for route, reason in ((MOVED.route, Reason.ROUTE_MISMATCH), (STRIPE.route, Reason.ROUTE_MISMATCH)):
        world = World(snapshots=[SNAPSHOT, newer], answers=[decision(revision="r2")])
        await world.check(message("api.stripe.example", "/v1/payments", body, headers, route=route))
        assert [record.reason for record in world.records] == [reason]
    world = World(snapshots=[newer, newer], answers=[decision(revision="r2")])
    await world.check(message("api.stripe.example", "/v1/payments", body, headers, route=MOVED.route))
    assert [record.reason for record in world.records] == [Reason.ALLOWED]


async def test_what_policy_wants_redacted_is_not_in_the_path_of_the_record() -> None:
    shown = Action("show", "GET", ("people", "{id}"), (), False, JSON_ALONE, ONE_OPERATION)
    crm = Tool("crm", "crm.example", None, "", (shown,), "", "", None, False, False, NO_INTERFACE)
    snapshot = Snapshot(
        "r1",
        Catalogue.of((crm,)),
        TRUST,
        NO_AGENTS,
        "",
        frozenset(),
        None,
        PHRASES,
        None,
        {},
        NO_BREAKERS,
        NO_PRICES,
        frozenset(),
        "",
        None,
        NO_TELEMETRY_RULES,
        NO_RECORD_RULES,
    )
    redactions = (Redact(Target.REQUEST, ("us_ssn",), ()),)
    world = World(snapshots=[snapshot], answers=[decision(Effect.SANITIZE, Reason.SANITIZED, obligations=redactions)])
    await world.check(message("crm.example", "/people/123-45-6789", b"", {"x-aegis-token": token()}, "GET", crm.route))
    assert world.records[0].path == "/people/[REDACTED:us_ssn]"


async def test_an_obligation_that_cannot_be_met_denies() -> None:
    redaction = Redact(Target.REQUEST, ("no_such_detector",), ())
    world = World(answers=[decision(Effect.SANITIZE, Reason.SANITIZED, obligations=(redaction,))])
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is Reason.OBLIGATION_UNKNOWN


@pytest.mark.parametrize("mark", ["acme/emea/bot", "acme/emea", "acme/emea token j1"])
async def test_what_the_bundle_revokes_is_refused_whatever_the_store_has_forgotten(mark: str) -> None:
    world = World(snapshots=[replace(SNAPSHOT, revoked=frozenset({mark, "other/tenant"}))])
    assert (await world.check()).effect is Effect.DENY
    record = world.records[0]
    assert (record.reason, record.detail, world.asked) == (Reason.REVOKED, "by the bundle", [])
    assert [str(settlement.identity.scope) for settlement in world.settled] == ["acme/emea/bot"]  # the token is spent


async def test_a_revocation_of_others_concerns_nobody_else() -> None:
    marks = frozenset({"acme/emea/bot-2", "acme/us", "acme/emea token t", "acme/emea key k"})
    world = World(snapshots=[replace(SNAPSHOT, revoked=marks)])
    assert (await world.check()).effect is Effect.ALLOW


async def test_a_revision_that_revokes_counts_from_the_moment_it_is_judged_by() -> None:
    newer = replace(SNAPSHOT, revision="r2", revoked=frozenset({"acme/emea"}))
    world = World(answers=[decision(revision="r2")], snapshots=[SNAPSHOT, newer])
    await world.check()
    assert world.records[0].reason is Reason.REVOKED


async def test_a_newer_revision_judges_the_call_again_from_the_parsing_on() -> None:
    newer = replace(SNAPSHOT, revision="r2", catalogue=Catalogue.of((replace(STRIPE, name="stripe-2"),)))
    world = World(answers=[decision(revision="r2"), decision(revision="r2")], snapshots=[SNAPSHOT, newer])
    assert (await world.check()).effect is Effect.ALLOW
    assert [question.call.tool for question in world.asked] == ["stripe", "stripe-2"]
    assert (world.records[0].revision, world.records[0].tool) == ("r2", "stripe-2")


async def test_a_newer_revision_that_trusts_the_key_no_more_denies() -> None:
    newer = replace(SNAPSHOT, revision="r2", trust=replace(TRUST, token_keys={}))
    world = World(answers=[decision(revision="r2")], snapshots=[SNAPSHOT, newer])
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is Reason.CREDENTIAL_UNTRUSTED


async def test_a_policy_that_changes_twice_during_one_call_denies() -> None:
    second, third = replace(SNAPSHOT, revision="r2"), replace(SNAPSHOT, revision="r3")
    answers = [decision(revision="r2"), decision(revision="r3")]
    world = World(answers=list(answers), snapshots=[SNAPSHOT, second, third])
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is Reason.REVISION_CHANGED


async def test_before_the_first_bundle_every_call_is_denied() -> None:
    world = World(snapshots=[Refused(Reason.NOT_READY, "no bundle")])
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is Reason.NOT_READY


@pytest.mark.parametrize("port", ["answers", "outcome"])
async def test_a_bug_behind_a_port_denies_and_tells_the_caller_nothing(port: str) -> None:
    bug = ZeroDivisionError("secret")
    world = World(answers=[bug]) if port == "answers" else World(outcome=bug)
    answer = await world.check()
    assert (answer.effect, world.records[0].reason) == (Effect.DENY, Reason.INTERNAL_FAULT)
    assert b"secret" not in answer.body
    assert "secret" not in world.records[0].detail


@pytest.mark.parametrize("port", ["answers", "outcome"])
async def test_a_port_that_never_answers_denies_in_time(port: str) -> None:
    world = World(answers=[_never]) if port == "answers" else World(outcome=_never)
    assert (await world.check()).effect is Effect.DENY
    assert world.records[0].reason is Reason.DEADLINE_EXCEEDED


@pytest.mark.parametrize("fault", [Refused(Reason.RECORD_FAILED, "disk full"), _never], ids=["fails", "hangs"])
@pytest.mark.parametrize("judged", [decision(), HELD], ids=lambda d: d.effect.value)
async def test_what_cannot_be_recorded_is_not_let_through(fault: Any, judged: Decision) -> None:
    world = World(answers=[judged], record_fault=fault)
    answer = await world.check()
    assert (answer.effect, world.told[0].reason) == (Effect.DENY, Reason.RECORD_FAILED)


async def test_best_effort_lets_an_unrecorded_allow_through() -> None:
    world = World(record_fault=Refused(Reason.RECORD_FAILED, "disk full"))
    assert (await world.check(require_record=False)).effect is Effect.ALLOW


async def test_a_denied_tool_call_is_a_tool_result_a_model_can_read() -> None:
    finding = Finding("amount", "max", 10000, 50000)
    world = World(answers=[decision(Effect.DENY, Reason.POLICY_DENIED, findings=(finding,))])
    answer = await world.check(tool_call())
    body = orjson.loads(answer.body)
    assert (answer.status, body["id"], body["result"]["isError"]) == (200, 7, True)
    text = body["result"]["content"][0]["text"]
    assert "delete_repository on github was refused" in text
    assert "at most 10000" in text
    assert "50000" in text
    assert "Do not retry" in text
    assert body["result"]["_meta"]["aegis"]["reason"] == "POLICY_DENIED"


@pytest.mark.parametrize("fault", [Refused(Reason.PDP_TIMEOUT, ""), decision(Effect.DENY, Reason.POLICY_DENIED)])
@pytest.mark.parametrize(
    "body",
    [b'{"jsonrpc":"2.0","method":"notifications/initialized"}', b'{"jsonrpc":"2.0","id":3,"result":{"roots":[]}}'],
)
async def test_a_notification_or_reply_that_is_refused_ends_no_session(
    fault: Decision | Exception, body: bytes
) -> None:
    answer = await World(answers=[fault]).check(message("github.example", "/mcp", body, {"x-aegis-token": token()}))
    assert (answer.effect, answer.status, answer.client_headers["x-aegis-decision"]) == (Effect.DENY, 200, "deny")
    told = orjson.loads(answer.body)
    assert (told["id"], told["error"]["data"]["aegis"]["decision"]) == (None, "deny")


async def test_a_long_call_that_is_refused_before_it_is_read_is_answered_by_its_id() -> None:
    body = b'{"method":"tools/call","params":{"name":"x","arguments":{"text":"%b"}},"jsonrpc":"2.0","id":9}'
    answer = await World().check(message("github.example", "/mcp", body % (b"n" * 100_000), {}))
    told = orjson.loads(answer.body)
    assert (answer.status, told["id"], told["result"]["isError"]) == (200, 9, True)
    assert told["result"]["_meta"]["aegis"]["reason"] == "CREDENTIAL_MISSING"


async def test_a_missing_token_is_never_a_401_on_an_mcp_endpoint() -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": "x", "method": "initialize", "params": {}})
    answer = await World().check(message("github.example", "/mcp", body, {}))
    assert (answer.status, orjson.loads(answer.body)["error"]["code"]) == (200, -31001)
    answer = await World().check(message("github.example", "/mcp", b"", {}, method="GET"))
    assert answer.status == 403


async def test_a_refused_call_beyond_the_limit_is_recorded_too() -> None:
    world = World()
    answer = await world.pipeline().refuse(Reason.OVERLOADED, payment(), "", time.monotonic() + 1)
    assert (answer.effect, answer.status) == (Effect.DENY, 503)
    assert (world.records[0].reason, world.records[0].host) == (Reason.OVERLOADED, "api.stripe.example")


async def test_a_tool_call_beyond_the_limit_is_refused_as_a_tool_result() -> None:
    answer = await World().pipeline().refuse(Reason.OVERLOADED, tool_call("list_issues"), "", time.monotonic() + 1)
    assert (answer.status, orjson.loads(answer.body)["result"]["isError"]) == (200, True)


PRICED = replace(
    SNAPSHOT, prices=Prices({"stripe": {"": Pricing(ParameterPrice("amount", 10**10, "EUR"), OnError.RELEASE)}}, {})
)


async def test_a_call_whose_cost_cannot_be_told_is_refused_and_spends_its_token() -> None:
    world = World(snapshots=[PRICED])
    answer = await world.check(payment(b'{"amount":-1}'))
    assert (answer.effect, answer.status) == (Effect.DENY, 403)
    assert world.records[0].reason is Reason.COST_UNKNOWN
    assert "amount" in world.records[0].detail
    assert len(world.settled) == 1
    assert (await World(snapshots=[PRICED]).check()).effect is Effect.ALLOW


async def test_whose_trace_a_decision_continued_is_noted_for_whoever_settles_what_it_costs() -> None:
    span = f"00-{'c' * 32}-{'d' * 16}-01"
    answer = await World(snapshots=[PRICED]).check(payment(traceparent=span.encode()))
    assert answer.metadata["trace"] == span
    assert "trace" not in (await World(snapshots=[PRICED]).check()).metadata
    assert "trace" not in (await World().check(payment(traceparent=span.encode()))).metadata  # it has no price


async def test_a_model_is_reserved_the_body_that_it_gets_and_not_the_smaller_one_that_came() -> None:
    taking = replace(STRIPE, decode=True, actions=(replace(STRIPE.actions[0], others=True),))
    prices = Prices(
        {"stripe": {"": Pricing(TokenPrice("/model", 1), OnError.RELEASE)}},
        {"m": ModelPrice("USD", *[10**9] * 4, None, None)},
    )
    world = World(snapshots=[replace(SNAPSHOT, catalogue=Catalogue.of((taking, GITHUB)), prices=prices)])
    body = orjson.dumps({"amount": 4200, "model": "m", "text": "a" * 4000})
    await world.check(payment(gzip.compress(body), content_encoding=b"gzip"))
    await world.check(payment(body))
    assert [record.reason for record in world.records] == [Reason.ALLOWED] * 2
    encoded, bare = (record.cost for record in world.records)
    assert encoded == bare and bare is not None


async def test_what_policy_denies_is_denied_by_policy_whatever_it_would_cost() -> None:
    world = World([decision(Effect.DENY, Reason.POLICY_DENIED)], snapshots=[PRICED])
    await world.check(payment(b'{"amount":-1}'))
    assert world.records[0].reason is Reason.POLICY_DENIED


KEPT_OPEN = replace(
    HELD, approval=ApprovalTerms(("finance",), 900, 1, (), (), 20.0, ApprovalProof.ANY, Unattended.QUEUE)
)


async def test_a_held_call_that_policy_wants_kept_open_has_its_answer_and_its_record_at_once() -> None:
    world = World(answers=[KEPT_OPEN])
    judged = await world.pipeline().judged(payment(), "", time.monotonic() + 1, None)
    hold = judged.hold
    assert hold is not None
    assert (judged.answer.effect, hold.answer) == (Effect.APPROVAL_NEEDED, judged.answer)
    assert (hold.longest, hold.approval_id, str(hold.scope)) == (20.0, f"apr_{'f' * 32}", "acme/emea/bot")
    assert [record.reason for record in world.records] == [Reason.APPROVAL_NEEDED]


DENIED_UNATTENDED = replace(
    HELD, approval=ApprovalTerms(("finance",), 900, 1, (), (), 20.0, ApprovalProof.ANY, Unattended.DENY)
)


async def test_what_is_denied_unless_somebody_decides_is_denied_before_anybody_is_asked_where_there_is_no_room() -> (
    None
):
    world = World(answers=[DENIED_UNATTENDED], places=CountedPlaces(1))
    pipeline = world.pipeline()
    hold = (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold
    assert hold is not None and hold.place in world.places.taken
    crowded = await pipeline.judged(payment(), "", time.monotonic() + 1, None)
    assert (crowded.answer.effect, crowded.hold) == (Effect.DENY, None)
    assert world.records[-1].reason is Reason.APPROVAL_UNATTENDED
    assert world.settled[-1].opens is None, "no approval is opened that nobody waits for"
    hold.place.free()
    assert (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold is not None


async def test_room_is_given_back_by_whatever_is_not_kept_open_and_waits_for_nobody_elsewhere() -> None:
    for world in (
        World(answers=[KEPT_OPEN], places=CountedPlaces(0)),
        World(answers=[HELD], places=CountedPlaces(0)),
        World(places=CountedPlaces(0)),
    ):
        assert (await world.check()).effect is not Effect.DENY
    failing = World(answers=[DENIED_UNATTENDED], record_fault=Refused(Reason.RECORD_FAILED))
    refused = World(answers=[DENIED_UNATTENDED], outcome=Settled(SettleOutcome.REPLAYED, "", 0.0, "", (), 0, None))
    granted = World(
        answers=[DENIED_UNATTENDED],
        outcome=Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None),
    )
    for world in (failing, refused, granted):
        assert (await world.pipeline().judged(payment(), "", time.monotonic() + 1, None)).hold is None
        assert world.places.taken == set()
    at_once = World(answers=[DENIED_UNATTENDED])
    assert (await at_once.check()).effect is Effect.APPROVAL_NEEDED
    assert at_once.places.taken == set()


async def test_room_is_given_back_by_a_check_that_is_broken_off() -> None:
    settles = asyncio.Event()

    async def never() -> Settled:
        settles.set()
        await asyncio.Event().wait()
        raise AssertionError("nobody wakes it")

    world = World(answers=[DENIED_UNATTENDED], outcome=never, total=UNHURRIED)
    check = asyncio.create_task(world.pipeline().judged(payment(), "", time.monotonic() + UNHURRIED, None))
    await asyncio.wait_for(settles.wait(), UNHURRIED)
    assert len(world.places.taken) == 1
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert world.places.taken == set()


async def test_nothing_else_is_kept_open() -> None:
    for world in (World(answers=[HELD]), World(), World(answers=[KEPT_OPEN], record_fault=OSError("full"))):
        world.record_fault = Refused(Reason.RECORD_FAILED) if world.record_fault else None
        assert (await world.pipeline().judged(payment(), "", time.monotonic() + 1, None)).hold is None
    shown = World(answers=[KEPT_OPEN])
    digest = (await shown.pipeline().judged(payment(), "", time.monotonic() + 1, None)).hold
    assert digest is not None
    assert digest.draft.call is not None
    with_override = payment(x_aegis_approval=override(digest.draft.call.digest))
    assert (await shown.pipeline().judged(with_override, "", time.monotonic() + 1, None)).hold is None


@dataclass
class LateWorld(World):
    """One whose clock goes on."""

    ahead: float = 0.0

    def now(self) -> float:
        return 1_800_000_000.0 + self.ahead


async def test_a_request_that_goes_on_is_judged_anew_by_what_is_so_then_and_needs_no_other_token() -> None:
    world = LateWorld(answers=[KEPT_OPEN])
    pipeline = world.pipeline()
    hold = (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold
    assert hold is not None
    world.ahead = 120  # its token is good for a minute

    async def approved() -> Settled:
        return Settled(SettleOutcome.APPROVED, hold.approval_id, hold.expires_at, "ada", (), 0, None)

    world.outcome = approved
    again = await pipeline.judged(payment(), "", time.monotonic() + 1, hold)
    assert (again.answer.effect, again.hold) == (Effect.ALLOW, None)
    assert world.asked[1].time == world.now(), "the second decision is of its own moment"
    first, second = world.settled
    assert first.spending != second.spending
    assert (second.resumes, second.identity, second.now) == ("d-1", first.identity, world.now())
    assert [record.reason for record in world.records] == [Reason.APPROVAL_NEEDED, Reason.APPROVED]
    assert (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).answer.effect is Effect.DENY, "expired"


async def test_a_policy_that_denies_by_then_wins_and_what_is_held_anew_is_not_kept_open_again() -> None:
    world = World(answers=[KEPT_OPEN, decision(Effect.DENY, Reason.POLICY_DENIED), KEPT_OPEN])
    pipeline = world.pipeline()
    hold = (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold
    assert (await pipeline.judged(payment(), "", time.monotonic() + 1, hold)).answer.effect is Effect.DENY
    assert world.settled[1].opens is None
    anew = await pipeline.judged(payment(), "", time.monotonic() + 1, hold)
    assert (anew.answer.effect, anew.hold) == (Effect.APPROVAL_NEEDED, None)


async def test_a_request_that_goes_on_is_refused_once_its_agent_or_key_is_no_longer_trusted() -> None:
    world = World(answers=[KEPT_OPEN])
    pipeline = world.pipeline()
    hold = (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold
    world.snapshots = [replace(SNAPSHOT, trust=replace(TRUST, token_keys={}))]
    await pipeline.judged(payment(), "", time.monotonic() + 1, hold)
    world.snapshots = [replace(SNAPSHOT, revoked=frozenset({"acme/emea/bot"}))]
    await pipeline.judged(payment(), "", time.monotonic() + 1, hold)
    reasons = [record.reason for record in world.records]
    assert reasons == [Reason.APPROVAL_NEEDED, Reason.CREDENTIAL_UNTRUSTED, Reason.REVOKED]


async def test_what_a_person_denied_is_a_denial_on_record_with_the_call() -> None:
    world = World(answers=[KEPT_OPEN])
    pipeline = world.pipeline()
    hold = (await pipeline.judged(payment(), "", time.monotonic() + 1, None)).hold
    assert hold is not None
    answer = await pipeline.deny(hold, Reason.APPROVAL_DENIED, time.monotonic() + 1)
    assert (answer.effect, answer.status) == (Effect.DENY, 403)
    assert orjson.loads(answer.body)["detail"].endswith("A person denied this call. Do not retry this call as it is.")
    held, refused = world.records
    assert (refused.effect, refused.reason, refused.policies) == (Effect.DENY, Reason.APPROVAL_DENIED, ("p1",))
    assert (refused.tool, refused.digest, refused.identity) == (held.tool, held.digest, held.identity)
    assert len(world.settled) == 1, "it settles nothing more"


async def test_what_is_denied_unless_somebody_decides_is_asked_no_longer_than_it_is_held() -> None:
    world = World(answers=[replace(HELD, approval=replace(TERMS, hold=20.0, unattended=Unattended.DENY))])
    hold = (await world.pipeline().judged(payment(), "", time.monotonic() + 1, None)).hold
    assert hold is not None
    assert (hold.is_final, hold.expires_at - world.now()) == (True, 20.0)


@pytest.mark.parametrize(
    ("body", "hold", "waits"), [(b'{"amount":1}', 60.0, 60.0), (b"", 60.0, 25.0), (b"", 20.0, 20.0)]
)
async def test_a_request_without_a_body_is_held_and_asked_no_longer_than_envoy_waits_for_it(
    body: bytes, hold: float, waits: float
) -> None:
    world = World(answers=[replace(HELD, approval=replace(TERMS, hold=hold, unattended=Unattended.DENY))])
    kept = (await world.pipeline().judged(payment(body), "", time.monotonic() + 1, None)).hold
    assert kept is not None
    assert (kept.longest, round(kept.expires_at - world.now(), 3)) == (waits, waits)


async def test_what_nobody_could_decide_in_time_is_never_asked() -> None:
    never = replace(HELD, approval=replace(TERMS, unattended=Unattended.DENY))  # of two rules one holds nothing open
    world = World(answers=[never])
    assert (await world.check()).effect is Effect.DENY
    assert (world.records[0].reason, world.settled[0].opens) == (Reason.APPROVAL_UNATTENDED, None)


MCP_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
}


def mcp_call(meta: dict[str, Any] | None = None, name: str = "delete_repository", **more: Any) -> bytes:
    params = {"name": name, "arguments": {}, "_meta": MCP_META if meta is None else meta, **more}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})
    return message("github.example", "/mcp", body, {"x-aegis-token": token()})


async def test_a_client_that_shows_pages_is_asked_to_and_is_not_kept_waiting_before_it_does() -> None:
    world = World(answers=[KEPT_OPEN])
    judged = await world.pipeline().judged(mcp_call(), "", time.monotonic() + 1, None)
    result = orjson.loads(judged.answer.body)["result"]
    assert (result["resultType"], judged.answer.status, judged.hold) == ("input_required", 200, None)
    question = result["inputRequests"]["aegis_approval"]
    assert question["method"] == "elicitation/create"
    assert question["params"]["url"] == f"http://control/approvals/apr_{'f' * 32}"
    assert judged.answer.effect is Effect.APPROVAL_NEEDED


@pytest.mark.parametrize(
    "meta",
    [
        {},
        {**MCP_META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}},
        {**MCP_META, "io.modelcontextprotocol/clientCapabilities": {"elicitation": True}},
        {**MCP_META, "io.modelcontextprotocol/protocolVersion": "2025-11-25"},
        {**MCP_META, "io.modelcontextprotocol/protocolVersion": 20260728},
        {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}},
    ],
)
async def test_a_client_that_does_not_say_so_is_told_to_wait(meta: dict[str, Any]) -> None:
    world = World(answers=[KEPT_OPEN])
    judged = await world.pipeline().judged(mcp_call(meta), "", time.monotonic() + 1, None)
    assert orjson.loads(judged.answer.body)["result"]["isError"] is True
    assert judged.hold is not None


async def test_a_call_that_comes_back_is_the_call_that_was_held_and_its_tool_reads_nothing_of_ours() -> None:
    world = World(answers=[KEPT_OPEN])
    first = orjson.loads((await world.check(mcp_call())).body)["result"]
    back = mcp_call(requestState=first["requestState"], inputResponses={"aegis_approval": {"action": "accept"}})
    judged = await world.pipeline().judged(back, "", time.monotonic() + 1, None)
    assert judged.hold is not None, "its user looked at the page: it may wait"
    assert "resultType" in orjson.loads(judged.answer.body)["result"]
    assert orjson.loads(judged.answer.body)["result"]["isError"] is True
    before, after = world.settled
    assert before.opens is not None
    assert after.opens is not None
    assert (before.opens.digest, before.opens.besides) == (after.opens.digest, after.opens.besides)
    world.outcome = Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None)
    passed = await world.check(back)
    assert (passed.effect, passed.upstream_headers[OBLIGATION_HEADER]) == (Effect.ALLOW, "request")
    assert (passed.metadata["coding"], passed.metadata["obligations"]) == ("mcp-request-state", "[]")


async def test_a_state_of_another_call_or_none_of_ours_lets_nothing_through() -> None:
    world = World(answers=[KEPT_OPEN])
    state = orjson.loads((await world.check(mcp_call())).body)["result"]["requestState"]
    for wrong in (mcp_call(requestState=state, name="list_issues"), mcp_call(requestState=f"{state}x")):
        assert (await world.check(wrong)).effect is Effect.DENY
    assert [record.reason for record in world.records[1:]] == [Reason.APPROVAL_MISMATCH] * 2
    world.outcome = Settled(SettleOutcome.APPROVED, "apr_1", 1_800_000_900.0, "ada", (), 0, None)
    foreign = mcp_call(requestState="v1.sealed-by-the-server")
    passed = await world.check(foreign)
    assert OBLIGATION_HEADER not in passed.upstream_headers, "a server's own state goes on as it is"


def of_another_gateway(gateway: str, joined: bool = False, text_body: bool = False, **headers: bytes) -> bytes:
    """A payment as the gateway of somebody else asks about it: no listener of ours, and what it can say of itself."""
    request = external_auth_pb2.CheckRequest.FromString(payment(**headers))
    del request.attributes.context_extensions[LISTENER_EXTENSION]
    if gateway:
        request.attributes.context_extensions["aegis.gateway"] = gateway
    http = request.attributes.request.http
    # what every Envoy shows beside the client's own, and its word that the body is whole
    for name, value in ((":path", http.path), (":method", http.method), ("x-envoy-auth-partial-body", "false")):
        http.header_map.headers.add(key=name, raw_value=value.encode())
    if joined:
        for header in http.header_map.headers:
            values = [http.headers[header.key]] if header.key in http.headers else []
            http.headers[header.key] = ", ".join([*values, header.raw_value.decode()])
        http.header_map.ClearField("headers")
    if text_body:
        http.body, http.raw_body = http.raw_body.decode(), b""
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (of_another_gateway("whole"), Reason.ALLOWED),
        (of_another_gateway("joined", joined=True), Reason.ALLOWED),
        # Istio and Envoy Gateway without the patches of deploy/gateways
        (of_another_gateway("", joined=True), Reason.REQUEST_UNREADABLE),
        (of_another_gateway("whole", joined=True), Reason.REQUEST_UNREADABLE),
        (of_another_gateway("whole", text_body=True), Reason.REQUEST_UNREADABLE),
        # a gateway that asks with a part of the body
        (of_another_gateway("joined", joined=True, x_envoy_auth_partial_body=b"true"), Reason.BODY_TRUNCATED),
        (of_another_gateway("joined", joined=True, content_type=b"a/b, c/d"), Reason.AMBIGUOUS_HEADERS),
        (of_another_gateway("joined", joined=True, x_aegis_token=b"a.b.c, a.b.c"), Reason.CREDENTIAL_AMBIGUOUS),
        # what only our own listeners can vouch for
        (
            of_another_gateway("whole", x_aegis_token=b"", proxy_authorization=b"Basic YWdlbnQ6YWVnaXNfeA=="),
            Reason.CREDENTIAL_MALFORMED,
        ),
        (
            of_another_gateway("whole", x_aegis_token=b"", x_forwarded_client_cert=b"By=a;URI=b"),
            Reason.CREDENTIAL_MISSING,
        ),
    ],
)
async def test_another_gateway_is_judged_as_ours_or_refused_with_what_it_lacks(question: bytes, reason: Reason) -> None:
    world = World()
    await world.check(question)
    assert world.records[0].reason is reason


async def test_a_route_that_another_gateway_does_not_name_is_refused() -> None:
    request = external_auth_pb2.CheckRequest.FromString(of_another_gateway("whole"))
    del request.attributes.context_extensions[ROUTE_EXTENSION]
    world = World()
    await world.check(request.SerializeToString())
    assert world.records[0].reason is Reason.ROUTE_MISMATCH


async def test_what_another_gateway_would_forward_unredacted_is_refused() -> None:
    redactions = (Redact(Target.RESPONSE, ("us_ssn",), ()),)
    answers = [decision(Effect.SANITIZE, Reason.SANITIZED, obligations=redactions)]
    assert (await World(answers=answers).check()).effect is Effect.SANITIZE
    world = World(answers=answers)
    answer = await world.check(of_another_gateway("whole"))
    assert (answer.effect, world.records[0].reason) == (Effect.DENY, Reason.OBLIGATION_UNMET)
