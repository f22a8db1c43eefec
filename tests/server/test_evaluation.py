"""The evaluation endpoint before the real pipeline: what it asks, what it answers, and what it never gives away."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import orjson
import pytest
from prometheus_client import CollectorRegistry

from aegis_authz.check.settling import Settler
from aegis_authz.core.catalogue import (
    FUNCTION,
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.decision import FilterTools, InjectCredential, Redact, SetHeader, Target, changes_bodies
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, OutcomeRecord, Record, RedactionRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.settlement import Settled, SettleOutcome
from aegis_authz.core.units import Seconds
from aegis_authz.ports.data_plane import ApprovalOutcomes, Reservations
from aegis_authz.server import evaluation, evaluation_app, request_body
from aegis_authz.server.admission import Admission
from aegis_authz.server.authz import CheckHandler, CheckTimes
from aegis_authz.server.evaluation import MOST_REPORTS, EvaluationDesk
from aegis_authz.server.evaluation_app import (
    EVALUATION_LISTENER,
    EVALUATION_PATH,
    METADATA_PATH,
    MOST_QUESTION_BYTES,
    OUTCOME_PATH,
)
from aegis_authz.server.ext_proc import THREAD_FROM
from aegis_authz.server.holding import HoldBounds, Holds
from aegis_authz.server.status import StatusServer
from aegis_authz.server.value_redaction import ValueRedactor
from aegis_authz.telemetry.holds import HoldMetrics
from aegis_authz.wire.authzen.outcome import Report, read_report
from aegis_authz.wire.http.call import HttpCall
from tests.check.test_pipeline import HELD, SNAPSHOT, decision, token
from tests.check.test_pipeline import World as PipelineWorld
from tests.support.questions import question_document

URL = "http://127.0.0.1:7"
SSN = "536-90-4399"
PEOPLE = Tool(
    "people",
    "",
    None,
    FUNCTION,
    (
        Action(
            "find",
            "",
            ("find",),
            (Parameter("name", ParameterSource.BODY, "/name", ParameterType.STRING, False, None),),
            False,
            JSON_ALONE,
            ONE_OPERATION,
        ),
    ),
    "",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)
WITH_PEOPLE = replace(SNAPSHOT, catalogue=Catalogue.of((*SNAPSHOT.catalogue.by_name.values(), PEOPLE)))
DETECTORS = ("us_ssn",)


def sanitized(*targets: Target, fields: tuple[str, ...] = ()) -> Any:
    obligations = tuple(Redact(target, DETECTORS, fields) for target in targets)
    return decision(Effect.SANITIZE, Reason.SANITIZED, obligations=obligations)


class NoSpans:
    """What is asked here is in no trace that is known later, so that no cost of it has a span."""

    def settled(self, call: SettledCall) -> None:
        raise AssertionError(call)


@dataclass
class World(PipelineWorld):
    """The ports of the pipeline, and those of whoever is told what became of calls."""

    kept: list[Record] = field(default_factory=list)
    adjusted: list[Any] = field(default_factory=list)
    clock_shift: float = 0.0

    def now(self) -> float:
        return super().now() + self.clock_shift

    async def append(self, record: Record) -> None:
        if isinstance(record, DecisionRecord):
            return await super().append(record)
        if isinstance(self.record_fault, Exception):
            raise self.record_fault
        self.kept.append(record)
        return None

    async def append_all(self, records: Sequence[Record]) -> None:
        for record in records:
            await self.append(record)

    async def adjust(self, scope: Any, decision_id: str, adjustment: Any) -> None:
        self.adjusted.append((decision_id, adjustment))

    async def confirm(self, decisions: Any) -> None:
        self.adjusted += decisions

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for record in self.kept if isinstance(record, kind)]

    def app(self) -> Any:
        pipeline = self.pipeline()
        settler = Settler(self, cast(Reservations, self), cast(ApprovalOutcomes, self), self, NoSpans())
        holds = Holds(cast(Any, self), HoldBounds(0, 1, 1, Seconds(1)), HoldMetrics(CollectorRegistry()), self)
        checks = CheckHandler(pipeline, Admission.within(8, 1.0), CheckTimes(Seconds(0.5), Seconds(0.01)), holds)
        redactor = ValueRedactor(self, self, require_record=True)
        desk = EvaluationDesk(pipeline, checks, redactor, settler, f"{URL}{OUTCOME_PATH}")
        return evaluation_app.evaluation_app(desk, URL)

    async def post(self, path: str, document: Any, **headers: str) -> httpx.Response:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"content-type": "application/json", "x-aegis-token": token().decode(), **given}
        transport = httpx.ASGITransport(self.app())
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            return await client.post(path, content=body, headers={name: sent[name] for name in sent if sent[name]})

    async def ask(self, document: Any = None, **headers: str) -> httpx.Response:
        return await self.post(EVALUATION_PATH, payment() if document is None else document, **headers)

    async def report(self, answer: httpx.Response, outcome: str, **rest: Any) -> httpx.Response:
        ticket = answer.json()["context"]["outcome"]["ticket"]
        return await self.post(OUTCOME_PATH, {"ticket": ticket, "outcome": outcome, **rest})


@pytest.fixture
def world() -> World:
    return World(snapshots=[WITH_PEOPLE])


def payment(**arguments: Any) -> dict[str, Any]:
    return question_document("acme/emea/bot", "stripe", "pay", {"amount": 4200, **arguments}, "redact")


def search(*applies: str, name: str = f"Ann {SSN}") -> dict[str, Any]:
    return question_document("acme/emea/bot", "people", "find", {"name": name}, *applies)


async def test_an_allow_is_true_with_a_decision_id_and_where_the_outcome_is_reported(world: World) -> None:
    answer = await world.ask(x_request_id="r-7")
    assert answer.status_code == 200
    document = answer.json()
    assert document["decision"] is True
    assert document["context"]["effect"] == "allow"
    assert document["context"]["decision_id"] == "d-1"
    assert document["context"]["outcome"]["endpoint"] == f"{URL}{OUTCOME_PATH}"
    assert "obligations" not in document["context"]
    assert answer.headers["x-request-id"] == "r-7"
    [record] = world.records
    assert (record.tool, record.action, record.parameters, record.path) == (
        "stripe",
        "pay",
        {"amount": 4200},
        EVALUATION_PATH,
    )
    assert world.settled[0].identity.jti == "j1"


async def test_a_bearer_token_is_read_where_http_has_it(world: World) -> None:
    answer = await world.ask(x_aegis_token="", authorization=f"Bearer {token().decode()}")
    assert answer.json()["decision"] is True


async def test_a_denial_is_false_and_says_why(world: World) -> None:
    world.answers = [decision(Effect.DENY, Reason.POLICY_DENIED)]
    answer = await world.ask()
    assert (answer.status_code, answer.json()["decision"]) == (200, False)
    context = answer.json()["context"]
    assert (context["effect"], context["reason"], context["decision_id"]) == ("deny", "POLICY_DENIED", "d-1")
    assert context["detail"].startswith("pay on stripe was refused")


async def test_a_held_call_is_false_and_says_where_a_decision_is_asked_for(world: World) -> None:
    world.answers = [HELD]
    context = (await world.ask()).json()["context"]
    assert (context["effect"], context["reason"]) == ("approval_needed", "APPROVAL_NEEDED")
    assert context["evaluation_id"] == context["approval"]["id"] == "apr_" + "f" * 32
    assert context["access_request"]["endpoint"] == "http://control/access/v1/requests"
    assert context["access_request"]["expires_at"].endswith("Z")


REFUSALS = [
    ({**payment(), "subject": {"type": "agent", "id": "acme/emea/other"}}, "SUBJECT_MISMATCH"),
    ({**payment(), "subject": {"type": "user", "id": "acme/emea/bot"}}, "MALFORMED_CALL"),
    ({**payment(), "subject": {"type": "agent", "id": "acme/emea/bot", "properties": {"role": "x"}}}, "MALFORMED_CALL"),
    ({**payment(), "resource": {"type": "tool", "id": "nobody"}}, "ACTION_UNKNOWN"),
    ({**payment(), "resource": {"type": "tool"}}, "MALFORMED_CALL"),
    ({**payment(), "action": {"name": "refund"}}, "ACTION_UNKNOWN"),
    ({**payment(), "action": {"name": "pay", "properties": [1]}}, "MALFORMED_CALL"),
    ({**payment(), "context": {"obligations": "redact"}}, "MALFORMED_CALL"),
    (payment(payee="x"), "PARAMETER_UNKNOWN"),
    (payment(Amount=1), "DUPLICATE_KEY"),
    (payment(amount="4200"), "PARAMETER_TYPE"),
    ([], "MALFORMED_CALL"),
    (b'{"subject": {"type": "agent", "type": "agent", "id": "acme/emea/bot"}}', "DUPLICATE_KEY"),
    (b"{", "MALFORMED_CALL"),
]


@pytest.mark.parametrize(("document", "reason"), REFUSALS)
async def test_what_is_not_one_declared_call_of_the_caller_is_refused_unasked(
    document: Any, reason: str, world: World
) -> None:
    answer = await world.ask(document)
    assert answer.json()["decision"] is False
    assert answer.json()["context"]["reason"] == reason
    assert world.asked == []
    assert [record.reason.value for record in world.records] == [reason]


async def test_members_that_authzen_does_not_define_are_ignored(world: World) -> None:
    document = {**payment(), "extension": 1, "context": {"ip": "1.1.1.1", "obligations": ["redact", "mfa"]}}
    assert (await world.ask(document)).json()["decision"] is True


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_question_is_json_and_says_so(kind: str, world: World) -> None:
    answer = await world.ask(content_type=kind)
    assert (answer.status_code, answer.json()["decision"]) == (400, False)


@pytest.mark.parametrize(
    ("changes", "reason", "status"),
    [
        ({"x_aegis_token": ""}, "CREDENTIAL_MISSING", 401),
        ({"authorization": "Bearer x"}, "CREDENTIAL_AMBIGUOUS", 401),
        ({"content_encoding": "gzip"}, "CONTENT_ENCODED", 415),
        ({"x_aegis_approval": "x"}, "APPROVAL_INVALID", 200),
    ],
)
async def test_what_a_call_may_not_show_a_question_may_not(
    changes: dict[str, str], reason: str, status: int, world: World
) -> None:
    answer = await world.ask(**changes)
    assert (answer.json()["decision"], answer.json()["context"]["reason"]) == (False, reason)
    assert answer.status_code == status


async def test_what_only_envoy_may_say_is_not_heard_from_a_caller(world: World) -> None:
    forged = {
        "x_forwarded_client_cert": "By=spiffe://mesh;Hash=a;URI=spiffe://mesh/acme/emea/bot",
        "x_aegis_tls": "TLSv1.3",
        "x_aegis_connect": "api.stripe.example:443",
        "x_forwarded_for": "10.0.0.1",
        "host": "api.stripe.example",
    }
    assert (await world.ask(x_aegis_token="", **forged)).json()["context"]["reason"] == "CREDENTIAL_MISSING"
    await world.ask(**forged)
    assert (world.records[-1].host, world.records[-1].source) == ("127.0.0.1", "127.0.0.1")


async def test_a_caller_that_does_not_redact_is_never_told_true(world: World) -> None:
    world.answers = [sanitized(Target.RESPONSE)]
    answer = await world.ask(search())
    assert answer.json()["decision"] is False
    assert answer.json()["context"]["reason"] == "OBLIGATION_UNMET"
    assert world.settled[0].charging is None
    assert (await world.ask(search("redact"))).json()["decision"] is True


@pytest.mark.parametrize(
    "obligation",
    [
        SetHeader("x-team", "a"),
        InjectCredential("authorization", "known", "Bearer "),
        FilterTools(("a",)),
        Redact(Target.REQUEST, (), ("/amount",)),
    ],
)
async def test_what_a_function_cannot_do_is_a_denial_and_gives_nothing_away(obligation: Any, world: World) -> None:
    effect, reason = (
        (Effect.SANITIZE, Reason.SANITIZED) if changes_bodies(obligation) else (Effect.ALLOW, Reason.ALLOWED)
    )
    world.answers = [decision(effect, reason, obligations=(obligation,))]
    answer = await world.ask()
    assert (answer.json()["decision"], answer.json()["context"]["reason"]) == (False, "OBLIGATION_UNMET")
    assert "secret" not in answer.text


async def test_a_sanitize_that_does_not_say_what_is_redacted_is_false(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = CheckHandler.answer

    async def without_terms(handler: CheckHandler, *call: Any) -> Any:
        answer = await answered(handler, *call)
        return replace(answer, metadata={"decision_id": answer.metadata["decision_id"]})

    monkeypatch.setattr(CheckHandler, "answer", without_terms)
    world.answers = [sanitized(Target.RESPONSE)]
    answer = await world.ask(search("redact"))
    assert (answer.json()["decision"], answer.json()["context"]["reason"]) == (False, "INTERNAL_FAULT")


async def test_arguments_come_back_redacted_and_on_record(world: World) -> None:
    world.answers = [sanitized(Target.REQUEST)]
    context = (await world.ask(search("redact"))).json()["context"]
    [demand] = context["obligations"]
    assert (demand["id"], demand["type"]) == ("arguments", "redact")
    assert demand["properties"]["arguments"]["name"].startswith("Ann ")
    assert SSN not in orjson.dumps(context).decode()
    [record] = world.of(RedactionRecord)
    assert (record.decision_id, record.target, record.outcome) == ("d-1", "request", "done")


async def test_a_result_comes_back_redacted_and_what_became_of_the_call_is_on_record(world: World) -> None:
    world.answers = [sanitized(Target.RESPONSE, fields=("/notes",))]
    answer = await world.ask(search("redact"))
    assert answer.json()["context"]["obligations"] == [{"id": "result", "type": "redact"}]
    assert "us_ssn" not in answer.text  # how results are redacted is no caller's business
    told = await world.report(answer, "done", result={"ssn": SSN, "notes": "tea", "age": 41})
    assert told.status_code == 200
    assert told.json()["result"]["age"] == 41
    assert SSN not in told.text
    assert "tea" not in told.text
    [redaction], [outcome] = world.of(RedactionRecord), world.of(OutcomeRecord)
    assert (redaction.target, redaction.outcome) == ("response", "done")
    assert (outcome.decision_id, outcome.status, outcome.details) == ("d-1", 200, "agent_report")


async def test_a_result_that_cannot_be_looked_at_is_withheld_and_the_outcome_recorded(world: World) -> None:
    world.answers = [sanitized(Target.RESPONSE, fields=("/notes",))]
    told = await world.report(await world.ask(search("redact")), "done", result="no JSON, so no field in it")
    assert (told.status_code, told.json()["reason"]) == (502, "RESPONSE_WITHHELD")
    assert world.of(RedactionRecord)[0].outcome.startswith("withheld")
    assert world.of(OutcomeRecord)[0].status == 200


async def test_a_result_that_is_not_on_record_does_not_come_back(world: World) -> None:
    world.answers = [sanitized(Target.RESPONSE)]
    answer = await world.ask(search("redact"))
    world.record_fault = Refused(Reason.RECORD_FAILED, "full")
    told = await world.report(answer, "done", result={"ssn": SSN})
    assert (told.status_code, told.json()["reason"]) == (502, "RESPONSE_WITHHELD")


async def test_arguments_that_cannot_be_put_on_record_are_a_denial(world: World) -> None:
    world.answers = [sanitized(Target.REQUEST)]
    appended = world.append

    async def decisions_alone(record: Record) -> None:
        if not isinstance(record, DecisionRecord):
            raise Refused(Reason.RECORD_FAILED, "full")
        await appended(record)

    world.append = decisions_alone  # type: ignore[method-assign]  # the disk is full from here on
    answer = await world.ask(search("redact"))
    assert (answer.status_code, answer.json()["decision"]) == (503, False)
    assert answer.json()["context"]["decision_id"] == "d-1"


async def test_a_ticket_is_good_for_its_agent_alone_as_it_was_given_for_a_day(world: World) -> None:
    answer = await world.ask()
    ticket = answer.json()["context"]["outcome"]["ticket"]
    body = {"ticket": ticket, "outcome": "done"}
    other = token(sub="acme/emea/other", agent="other").decode()
    stolen = await world.post(OUTCOME_PATH, body, x_aegis_token=other)
    altered = await world.post(OUTCOME_PATH, {**body, "ticket": ticket[:-2] + ("AA" if ticket[-2:] != "AA" else "BA")})
    made_up = await world.post(OUTCOME_PATH, {**body, "ticket": "x"})
    world.clock_shift = 30.0
    good = await world.post(OUTCOME_PATH, body)
    assert [told.json()["reason"] for told in (stolen, altered, made_up)] == ["OUTCOME_INVALID"] * 3
    assert (good.status_code, good.json()) == (200, {"outcome": "done"})
    assert len(world.of(OutcomeRecord)) == 1


@pytest.mark.parametrize(
    "document", [{}, [], {"ticket": 1, "outcome": "done"}, {"ticket": "x", "outcome": "good"}, {"ticket": "x", "a": 1}]
)
async def test_an_outcome_in_another_shape_is_refused(document: Any, world: World) -> None:
    told = await world.post(OUTCOME_PATH, document)
    assert (told.status_code, told.json()["reason"]) == (400, "MALFORMED_CALL")


async def test_an_outcome_needs_a_credential_of_its_own(world: World) -> None:
    answer = await world.ask()
    world.outcome = Settled(SettleOutcome.REPLAYED, "", 0.0, "", (), 0, None)
    assert (await world.report(answer, "done")).json()["reason"] == "REPLAYED"
    nobody = await world.post(OUTCOME_PATH, {"ticket": "x", "outcome": "done"}, x_aegis_token="")
    assert (nobody.status_code, nobody.json()["reason"]) == (401, "CREDENTIAL_MISSING")
    assert world.of(OutcomeRecord) == []


async def test_the_outcomes_of_one_agent_do_not_hold_up_those_of_another(world: World) -> None:
    ticket = {"ticket": (await world.ask()).json()["context"]["outcome"]["ticket"], "outcome": "done"}
    app, store = world.app(), asyncio.Event()
    world.app = lambda: app  # type: ignore[method-assign]  # one desk for all
    world.outcome = lambda: _after(store)
    used = len(world.settled)
    flood = [asyncio.create_task(world.post(OUTCOME_PATH, ticket)) for _ in range(2 * MOST_REPORTS)]
    refused = []
    for reply in asyncio.as_completed(flood):
        refused.append(await reply)
        if len(refused) == MOST_REPORTS:
            break
    assert {(reply.status_code, reply.json()["reason"]) for reply in refused} == {(503, "OVERLOADED")}
    assert len(world.settled) - used <= MOST_REPORTS  # what a refused report showed is not used up
    other = token(sub="acme/emea/other", agent="other").decode()
    heard = asyncio.create_task(world.post(OUTCOME_PATH, ticket, x_aegis_token=other))
    store.set()
    assert (await heard).json()["reason"] == "OUTCOME_INVALID"  # not OVERLOADED: the ticket is not its own
    taken = [reply for reply in await asyncio.gather(*flood) if reply.status_code == 200]
    assert len(world.of(OutcomeRecord)) == len(taken) > 0
    assert (await world.post(OUTCOME_PATH, ticket)).status_code == 200


async def _after(event: asyncio.Event) -> None:
    await event.wait()


async def test_a_long_body_is_read_beside_the_event_loop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    loop, readers = threading.get_ident(), []

    def reading(http: HttpCall) -> Report:
        readers.append(threading.get_ident())
        return read_report(http)

    monkeypatch.setattr(evaluation, "read_report", reading)
    world.answers = [sanitized(Target.RESPONSE)]
    answer = await world.ask(search("redact"))
    for result in ("short", "x" * THREAD_FROM):
        assert (await world.report(answer, "done", result=result)).json()["result"] == result
    assert [reader == loop for reader in readers] == [True, False]


@pytest.mark.parametrize(
    ("change", "reason", "status"),
    [
        ({"outcome": Settled(SettleOutcome.REPLAYED, "", 0.0, "", (), 0, None)}, "REPLAYED", 200),
        ({"outcome": Refused(Reason.STORE_UNAVAILABLE, "")}, "STORE_UNAVAILABLE", 503),
        ({"answers": [Refused(Reason.PDP_UNAVAILABLE, "")]}, "PDP_UNAVAILABLE", 503),
        ({"record_fault": Refused(Reason.RECORD_FAILED, "")}, "RECORD_FAILED", 503),
        ({"snapshots": [Refused(Reason.NOT_READY, "")]}, "NOT_READY", 503),
        ({"answers": [RuntimeError("a bug")]}, "INTERNAL_FAULT", 503),
    ],
)
async def test_every_fault_is_false(change: dict[str, Any], reason: str, status: int) -> None:
    world = World(**{"snapshots": [WITH_PEOPLE], **change})
    answer = await world.ask()
    assert (answer.status_code, answer.json()["decision"]) == (status, False)
    assert answer.json()["context"]["reason"] == reason


async def test_a_body_that_is_too_large_is_not_read(world: World) -> None:
    answer = await world.ask(b"[" + b" " * MOST_QUESTION_BYTES)
    assert (answer.status_code, answer.json()["decision"]) == (413, False)
    assert world.records == []


async def test_the_metadata_names_what_there_is_and_nothing_else(world: World) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app()), base_url=URL) as client:
        document = (await client.get(METADATA_PATH)).json()
        assert (await client.post("/access/v1/evaluations")).status_code == 404
    assert document == {
        "policy_decision_point": URL,
        "access_evaluation_endpoint": f"{URL}{EVALUATION_PATH}",
        "access_request_endpoint": "http://control/access/v1/requests",
    }


async def test_the_settings_may_say_what_the_endpoint_takes() -> None:
    from aegis_authz.config.values import EVALUATION

    assert EVALUATION == EVALUATION_LISTENER


@asynccontextmanager
async def served(world: World) -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = StatusServer(world.app())
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield listener.getsockname()[1]
    server.end()
    await serving


async def test_a_body_that_does_not_come_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "_SECONDS", 0.05)
    async with served(world) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        began = time.monotonic()
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"decision":false' in answer
    assert time.monotonic() - began < 5
    assert world.records == []


async def test_a_caller_that_leaves_before_its_body_is_whole_asks_nothing(world: World) -> None:
    async with served(world) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /access/v1/evaluation HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}{METADATA_PATH}")).status_code == 200
    assert world.records == []
