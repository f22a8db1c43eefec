"""Decisions judged again from their records alone: made by the real pipeline and the real Rego, read back from lines."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from envoy.service.auth.v3 import external_auth_pb2

from aegis_authz.adapters.files.credentials import CredentialFolder
from aegis_authz.check.authenticate import Acceptance, Authenticator
from aegis_authz.check.pipeline import Limits, Pipeline
from aegis_authz.check.record import Recorder
from aegis_authz.check.shares import Shares
from aegis_authz.check.slow_lane import SlowLane
from aegis_authz.core.breaker import NO_BREAKERS
from aegis_authz.core.call import CallKind
from aegis_authz.core.catalogue import NO_ROUTE, Catalogue
from aegis_authz.core.circumstances import CONTEXT
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.decision_trace import DecisionTrace
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Way
from aegis_authz.core.price import NO_PRICES
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, FindingName, WholePath
from aegis_authz.core.record_terms import NO_RECORD_RULES
from aegis_authz.core.refused import Refused
from aegis_authz.core.registration import NO_AGENTS
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.telemetry_terms import NO_TELEMETRY_RULES
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import read_record
from aegis_authz.evidence.replay import NotJudged, assumed, replayed
from aegis_authz.identity.mint import mint_token
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from aegis_authz.testing.record_log import MemoryRecordLog
from aegis_authz.testing.store import MemoryStore
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION
from aegis_authz.wire.opa.answer import question_to_data
from tests.support.hold_places import CountedPlaces
from tests.support.made_records import DENIED
from tests.support.session_keys import StillSessionKeys

NOW = 1_800_000_000.123456  # Friday, 2027-01-15, 08:00 UTC
KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
KEY_ID = thumbprint(KEY.public_key().public_bytes_raw())
TRUST = Trust("aegis", "mesh", {KEY_ID: KEY.public_key().public_bytes_raw()}, {}, 300, 5)
TOOLS = """\
tool: bank
host: bank.example
region: eu
actions:
  pay: {match: POST /payments, parameters: {amount: {from: /amount, type: number}, memo: {from: /memo, type: string}}}
---
tool: hub
host: hub.example
mcp: {}
"""
POLICY = """\
org: acme
tenant: emea
agent: bot
allowed_tools:
  - name: bank
    actions: [pay]
    conditions: {conditions}
  - {{name: hub, actions: [create]}}
egress: {{allow: [docs.example]}}
"""
OF_THE_BANK = "{max_amount: 5000}"
"""Conditions of the bank for calls that do not reach it; empty ones are refused."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it comes from Envoy, and what surrounds it."""

    host: str = "bank.example"
    path: str = "/payments"
    body: Any = field(default_factory=lambda: {"amount": 4200.5, "memo": "rent"})
    source: str = "192.0.2.7"
    environment: str = "production"
    scheme: str = "http"
    age: float = 30.5
    later: float = 0.0
    actors: tuple[str, ...] = ()
    on_behalf_of: str = ""
    session: str = ""

    @property
    def now(self) -> float:
        return NOW + self.later

    def request(self, catalogue: Catalogue) -> bytes:
        request = external_auth_pb2.CheckRequest()
        request.attributes.source.address.socket_address.address = self.source
        host, _, port = self.host.partition(":")
        tools = catalogue.by_address.get((host, int(port) if port else None), ())
        request.attributes.context_extensions[ROUTE_EXTENSION] = tools[0].route if tools else NO_ROUTE
        request.attributes.context_extensions[LISTENER_EXTENSION] = "forward"
        http = request.attributes.request.http
        http.method, http.host, http.path, http.scheme = "POST", self.host, self.path, self.scheme
        http.raw_body = orjson.dumps(self.body)
        token = mint_token(
            KEY,
            issuer="aegis",
            audience="mesh",
            scope=Scope("acme", "emea", "bot"),
            now=self.now - self.age,
            ttl=120,
            jti="j1",
            actors=self.actors,
            on_behalf_of=self.on_behalf_of,
            session=self.session,
        )
        headers = {"x-aegis-token": token, "content-type": "application/json"}
        for key, value in headers.items():
            http.header_map.headers.add(key=key, raw_value=value.encode())
        return request.SerializeToString()


HELD: dict[str, tuple[str, Call, Call]] = {
    "time": ('{context: {time: {within: [{hours: "08:00-09:00"}]}}}', Call(), Call(later=3600.0)),
    "environment": ("{context: {environment: {equals: production}}}", Call(), Call(environment="test")),
    "source": ("{context: {source: {in_ranges: [192.0.2.0/24]}}}", Call(), Call(source="198.51.100.1")),
    "on_behalf_of": ("{context: {on_behalf_of: {equals: ann}}}", Call(on_behalf_of="ann"), Call(on_behalf_of="bob")),
    "acted_by": ("{context: {acted_by: {count: {max: 1}}}}", Call(actors=("a",)), Call(actors=("a", "b"))),
    "session": ("{context: {session: {equals: task-1}}}", Call(session="task-1"), Call(session="task-2")),
    "token_age": ("{context: {token_age: {max: 60}}}", Call(), Call(age=90.0)),
}
"""For each circumstance a condition on it, a call for which it holds, and one for which it does not."""


class World:
    """The ports of a pipeline whose OPA is that of the lab; `asked` and `decided` are what passed it."""

    def __init__(self, opa: LabOpa, call: Call, catalogue: Catalogue) -> None:
        self.opa = opa
        self.call = call
        self.snapshot = Snapshot(
            "lab",
            catalogue,
            TRUST,
            NO_AGENTS,
            "",
            CONTEXT,
            None,
            {},
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
        self.asked: list[Evaluation] = []
        self.decided: list[Decision] = []

    def now(self) -> float:
        return self.call.now

    def monotonic(self) -> float:
        return time.monotonic()

    def decision_id(self) -> str:
        return "d-1"

    def token(self) -> str:
        return "f" * 32

    def current(self) -> Snapshot:
        return self.snapshot

    async def at(self, revision: str, deadline: float) -> Snapshot:
        raise Refused(Reason.REVISION_CHANGED, revision)

    async def evaluate(self, question: Evaluation, deadline: float) -> Decision:
        decision = judged(self.opa, question)
        self.asked.append(question)
        self.decided.append(replace(decision, revision="lab"))
        return self.decided[-1]


class Quiet:
    def decided(self, record: DecisionRecord, trace: DecisionTrace) -> None:
        """Telemetry has tests of its own."""

    def refused(self, refusal: UnrecordedRefusal) -> None:
        """The same."""


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def judged(opa: LabOpa, question: Evaluation) -> Decision:
    [decision] = opa.decisions([question_to_data(question)])
    assert isinstance(decision, Decision), decision
    return decision


async def recorded(opa: LabOpa, call: Call, conditions: str) -> tuple[World, DecisionRecord]:
    """Have the pipeline decide the call, and read its record from the line that was written."""
    loaded = load({"bot.yaml": POLICY.format(conditions=conditions)}, {"tools.yaml": TOOLS})
    bench = Workbench(loaded, opa)
    world = World(opa, call, bench.catalogue)
    async with MemoryRecordLog(for_tests=True) as log:
        recorder = Recorder(log, Quiet(), world, required=True)
        limits = Limits(total=10, pdp=10, environment=call.environment, region="")
        store = MemoryStore(
            World(opa, replace(call, later=-600.0), bench.catalogue), 60, for_tests=True
        )  # older than every token
        pipeline = Pipeline(
            world,
            Authenticator(Acceptance(frozenset({Way.TOKEN, Way.BOUND}), {}), lambda: "f" * 32),
            world,
            store,
            recorder,
            world,
            world,
            CredentialFolder(None),
            StillSessionKeys(),
            limits,
            SlowLane(),
            Shares(lambda: 8),
            CountedPlaces(),
        )
        await pipeline.check(call.request(bench.catalogue), "", time.monotonic() + 10)
    record = read_record(log.lines[0])
    assert isinstance(record, DecisionRecord)
    return world, record


def require_same(opa: LabOpa, world: World, record: DecisionRecord) -> Decision:
    """The replayed question is, word for word, the one that was asked, and is decided alike."""
    [asked], [decided] = world.asked, world.decided
    question = replayed(record)
    assert question_to_data(question) == question_to_data(asked)
    assert (question.identity, question.environment) == (asked.identity, asked.environment)
    again = replace(judged(opa, question), revision="lab")
    assert again == decided
    assert (record.effect, record.reason, record.obligations) == (again.effect, again.reason, again.obligations)
    assert record.findings == tuple(FindingName(one.parameter, one.condition) for one in again.findings)
    return decided


def test_every_circumstance_of_the_language_is_looked_at() -> None:
    assert HELD.keys() == CONTEXT


@pytest.mark.parametrize("word", HELD)
async def test_a_decision_on_a_circumstance_is_judged_again_from_its_record_alone(opa: LabOpa, word: str) -> None:
    condition, holding, failing = HELD[word]
    effects = []
    for call in (holding, failing):
        world, record = await recorded(opa, call, condition)
        assert record.withheld == 0
        effects.append(require_same(opa, world, record).effect)
    assert effects == [Effect.ALLOW, Effect.DENY]


async def test_the_region_of_a_tool_is_known_from_the_catalogue_of_the_revision(opa: LabOpa) -> None:
    for region, effect in (("eu", Effect.ALLOW), ("us", Effect.DENY)):
        world, record = await recorded(opa, Call(), f"{{context: {{region: {{equals: {region}}}}}}}")
        assert require_same(opa, world, record).effect is effect


async def test_a_decision_on_parameters_is_judged_again_from_its_record_alone(opa: LabOpa) -> None:
    for limit, effect in ((5000, Effect.ALLOW), (4200, Effect.DENY)):
        world, record = await recorded(opa, Call(), f"{{max_amount: {limit}}}")
        assert require_same(opa, world, record).effect is effect


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (Call("docs.example", "/x"), Reason.TOOL_UNKNOWN),
        (Call("docs.example:8443", "/x", scheme="https"), Reason.TOOL_UNKNOWN),
        (Call("evil.example:8080", "/x"), Reason.EGRESS_DENIED),
    ],
    ids=["listed", "https with a port", "not listed"],
)
async def test_a_call_of_no_tool_is_judged_again_by_its_address(opa: LabOpa, call: Call, reason: Reason) -> None:
    world, record = await recorded(opa, call, OF_THE_BANK)
    require_same(opa, world, record)
    assert (record.reason, record.kind) == (reason, CallKind.UNCLAIMED)


def message(method: str, **params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}


@pytest.mark.parametrize(
    ("sent", "kind", "effect"),
    [
        (message("ping"), CallKind.MCP_SESSION, Effect.ALLOW),
        (message("tools/call", name="ping", arguments={}), CallKind.MCP_TOOL, Effect.DENY),
        (message("tools/call", name="create", arguments={}), CallKind.MCP_TOOL, Effect.ALLOW),
        (message("tools/list"), CallKind.MCP_SESSION, Effect.SANITIZE),
    ],
    ids=lambda value: str(value.get("method")) if isinstance(value, dict) else value.value,
)
async def test_an_mcp_call_is_judged_again_by_its_method(
    opa: LabOpa, sent: dict[str, object], kind: CallKind, effect: Effect
) -> None:
    world, record = await recorded(opa, Call("hub.example", "/mcp", sent), OF_THE_BANK)
    assert require_same(opa, world, record).effect is effect
    assert (record.kind, record.rpc_method) == (kind, sent["method"])
    assert replayed(record).call.rpc.method == sent["method"]


async def test_parameters_that_are_not_recorded_are_counted(opa: LabOpa) -> None:
    sent = message("tools/call", name="create", arguments={"title": "x", "body": "y"})
    _, record = await recorded(opa, Call("hub.example", "/mcp", sent), OF_THE_BANK)
    assert (record.parameters, record.withheld) == ({}, 2)


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (replace(DENIED, identity=None, reason=Reason.CREDENTIAL_MISSING), "known which agent"),
        (replace(DENIED, kind=None, reason=Reason.MALFORMED_CALL), "known what it asks for"),
        (replace(DENIED, version=1), "version 1"),
        (replace(DENIED, whole_path=WholePath(9000, "")), "beginning of the path"),
    ],
)
def test_what_policy_was_never_asked_is_not_replayed(record: DecisionRecord, why: str) -> None:
    with pytest.raises(NotJudged, match=why):
        replayed(record)


def test_a_record_of_version_1_is_replayed_with_what_is_assumed() -> None:
    old = replace(DENIED, version=1, kind=None, withheld=None, scheme="", environment="")
    question = replayed(assumed(old, CallKind.ACTION))
    assert (question.call.kind, question.call.scheme, question.call.port) == (CallKind.ACTION, "https", None)
    assert (question.identity.issued_at, question.environment) == (old.time, "")
