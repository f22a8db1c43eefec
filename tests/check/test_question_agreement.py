"""A call is decided alike through Envoy and at the evaluation endpoint: the golden cases, asked about once more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.decision import Decision, Evaluation, InjectCredential, Redact, SetHeader
from aegis_authz.core.json_value import Json
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.units import Monotonic
from aegis_authz.ports.data_plane import Pdp
from aegis_authz.wire.authzen.question import REDACT
from tests.check.test_cases import (  # noqa: F401  # the fixtures `opa_socket` and `world` are used by their names
    Call,
    World,
    cases,
    check_request,
    opa_socket,
    token,
    world,
)
from tests.support.questions import question, question_document

PLAIN = (CallKind.ACTION, CallKind.MCP_TOOL)
PROXY_ALONE = (SetHeader, InjectCredential)


@dataclass
class Witness:
    """Asks the real policy engine, and remembers which call it was asked about and what it said."""

    pdp: Pdp
    heard: list[tuple[ToolCall, Decision]] = field(default_factory=list)

    async def evaluate(self, evaluation: Evaluation, deadline: Monotonic) -> Decision:
        decision = await self.pdp.evaluate(evaluation, deadline)
        self.heard.append((evaluation.call, decision))
        return decision


async def asked(world: World, call: Call, tool: str, action: str, arguments: Mapping[str, Json]) -> DecisionRecord:  # noqa: F811  # the fixture
    document = question_document(f"acme/{call.tenant}/{call.agent}", tool, action, dict(arguments), REDACT)
    await world.pipeline.check(question(token(call), document), "", Monotonic(time.monotonic() + 10))
    return last(world)


def last(world: World) -> DecisionRecord:  # noqa: F811  # the fixture
    record = world.records.records[-1]
    assert isinstance(record, DecisionRecord)
    return record


def judgement(record: DecisionRecord) -> tuple[Any, ...]:
    return (record.effect, record.reason, record.policies, record.findings, record.obligations, record.would)


async def test_the_golden_cases_are_decided_alike(world: World) -> None:  # noqa: F811  # the fixture
    witness = Witness(world.pipeline.pdp)
    watched = World(replace(world.pipeline, pdp=witness), world.records)
    compared = 0
    for case in cases():
        witness.heard.clear()
        await watched.pipeline.check(check_request(case.call), "", Monotonic(time.monotonic() + 10))
        if not witness.heard or witness.heard[0][0].kind not in PLAIN:
            continue  # refused before policy was asked, or of a session
        call, decision = witness.heard[0]
        through_envoy = last(watched)
        at_endpoint = await asked(watched, case.call, call.tool, call.action, call.parameters)
        if at_endpoint.reason.value == "ACTION_UNKNOWN":
            continue  # judged by a body, which the endpoint does not see
        bodily = [item for item in decision.obligations if isinstance(item, Redact) and item.fields]
        if decision.effect.lets_through and (bodily or any(isinstance(x, PROXY_ALONE) for x in decision.obligations)):
            assert (at_endpoint.effect.value, at_endpoint.reason.value) == ("deny", "OBLIGATION_UNMET"), case.name
            continue
        assert judgement(at_endpoint) == judgement(through_envoy), case.name
        compared += 1
    assert compared > 40


async def test_hostile_values_are_decided_alike(world: World) -> None:  # noqa: F811  # the fixture
    call = Call(agent="finance-agent", method="POST", host="api.stripe.example", path="/v1/payments")
    values: list[Any] = [4200, 5000.01, 50000, -1, 1e300, 2**53 + 1, True, None, "4200", [4200], {"amount": 1}, "", {}]
    for value in values:
        for rest in ({}, {"payee": "ACME"}, {"payee": None}, {"to": 1}, {"AMOUNT": 1}, {"amount ": 1}):
            arguments = {"amount": value, **rest}
            raw = orjson.dumps(arguments).decode()
            sent = check_request(call.model_copy(update={"raw": raw}))
            await world.pipeline.check(sent, "", Monotonic(time.monotonic() + 10))
            through_envoy = judgement(last(world))
            at_endpoint = judgement(await asked(world, call, "stripe-payments", "create_payment", arguments))
            assert at_endpoint == through_envoy, raw
