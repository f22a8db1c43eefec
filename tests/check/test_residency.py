"""Calls that came to the wrong region: refused for that, and nothing kept of them."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import orjson
import pytest

from aegis_authz.check.attend import attended
from aegis_authz.check.shares import Shares
from aegis_authz.core.catalogue import NO_ROUTE, Catalogue
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record_terms import RecordedParameters, RecordRules
from aegis_authz.core.refused import Refused
from aegis_authz.core.residency import Residency
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.wire.http.call import HttpCall
from tests.check.test_pipeline import GITHUB, SNAPSHOT, STRIPE, TRUST, World, decision, message, payment, token
from tests.support.questions import question, question_document

GATEWAYS = MappingProxyType({"us": "http://us.mesh.example"})


def snapshot(region: str = "eu", tenants: tuple[str, ...] = ("acme/emea",), revision: str = "r1") -> Snapshot:
    tools = (STRIPE, replace(GITHUB, region="us"))
    return replace(
        SNAPSHOT,
        revision=revision,
        catalogue=Catalogue.of(tools).within(region),
        trust=replace(TRUST, audience=f"mesh/{region}"),
        residency=Residency(region, frozenset(tenants), GATEWAYS),
    )


def shown(audience: object = "mesh/eu") -> bytes:
    return payment(x_aegis_token=token(aud=audience))


def asked(tool: str, action: str, audience: str = "mesh/eu") -> HttpCall:
    """A question to the evaluation endpoint, of the tenant that pays above."""
    document = question_document("acme/emea/bot", tool, action, {"amount": 5})
    return question(token(aud=audience).decode(), document)


def assert_no_trace(world: World) -> None:
    """Nothing was asked of anybody, and the record says nothing of the call."""
    (record,) = world.records
    assert (record.effect, record.reason) == (Effect.DENY, Reason.WRONG_REGION)
    assert world.settled == []
    assert record.identity is None
    assert not any((record.tool, record.host, record.path, record.source, record.digest, record.parameters))
    assert not any(word in record.detail for word in ("acme", "emea", "bot", "stripe"))


async def test_a_tenant_at_home_is_judged_as_ever() -> None:
    world = World(snapshots=[snapshot()], region="eu")
    assert (await world.check(shown())).effect is Effect.ALLOW
    assert world.records[0].identity is not None


async def test_a_tenant_of_another_region_is_refused_and_leaves_no_trace() -> None:
    world = World(snapshots=[snapshot(tenants=("acme/amer", "globex/*"))], region="eu")
    answer = await world.check(shown())
    assert (answer.status, orjson.loads(answer.body)["reason"]) == (403, "WRONG_REGION")
    assert "region" not in orjson.loads(answer.body)
    assert_no_trace(world)
    assert world.asked == []


async def test_all_tenants_of_an_org_may_be_at_home() -> None:
    assert (await World(snapshots=[snapshot(tenants=("acme/*",))], region="eu").check(shown())).effect is Effect.ALLOW


async def test_a_token_of_another_region_is_told_so_by_its_audience() -> None:
    world = World(snapshots=[snapshot()], region="eu")
    await world.check(shown("mesh/us"))
    assert_no_trace(world)


@pytest.mark.parametrize("audience", ["mesh", "other/us", "mesh/", "mesh/US", "mesh/us/2", ["mesh/us"], None, 7])
async def test_any_other_token_that_does_not_verify_is_untrusted(audience: object) -> None:
    world = World(snapshots=[snapshot()], region="eu")
    await world.check(shown(audience))
    assert world.records[0].reason is Reason.CREDENTIAL_UNTRUSTED


@pytest.mark.parametrize(("own", "of_bundle"), [("us", "eu"), ("", "eu")])
async def test_a_bundle_of_another_region_judges_nothing(own: str, of_bundle: str) -> None:
    world = World(snapshots=[snapshot(of_bundle)], region=own)
    await world.check(shown())
    assert_no_trace(world)


async def test_a_bundle_of_no_region_judges_nothing_in_one() -> None:
    world = World(region="eu")
    await world.check()
    assert_no_trace(world)


async def test_a_tenant_that_moves_while_its_call_is_judged_leaves_no_trace_either() -> None:
    moved = snapshot(tenants=("acme/amer",), revision="r2")
    world = World(snapshots=[snapshot(), moved], answers=[decision(revision="r2")], region="eu")
    await world.check(shown())
    assert_no_trace(world)


async def test_telemetry_hears_nothing_of_a_tenant_that_moves_whatever_its_records_held() -> None:
    rules = RecordRules.by({"acme/emea/*": RecordedParameters.CLEAR})
    moved = replace(snapshot(tenants=("acme/amer",), revision="r2"), records=rules)
    world = World(snapshots=[snapshot(), moved], answers=[decision(revision="r2")], region="eu")
    await world.check(shown())
    assert_no_trace(world)
    assert world.told == world.records


async def test_a_tool_of_another_region_is_refused_on_record_with_its_gateway() -> None:
    body = orjson.dumps({"jsonrpc": "2.0", "id": 7, "method": "ping"})
    world = World(snapshots=[snapshot()], region="eu")
    sent = message("github.example", "/mcp", body, {"x-aegis-token": token(aud="mesh/eu")}, route=NO_ROUTE)
    answer = orjson.loads((await world.check(sent)).body)
    assert answer["error"]["data"]["aegis"]["region"] == {"name": "us", "gateway": "http://us.mesh.example"}
    (record,) = world.records
    assert (record.reason, record.tool, len(world.settled)) == (Reason.WRONG_REGION, "github", 1)
    assert world.asked == [], "the policy engine is not asked"


@pytest.mark.parametrize("audience", ["mesh/eu", "mesh/us"])
async def test_a_question_of_a_tenant_of_another_region_leaves_no_trace_either(audience: str) -> None:
    world = World(snapshots=[snapshot(tenants=("acme/amer",))], region="eu")
    await world.pipeline().check(asked("stripe", "pay", audience), "", world.monotonic() + 1)
    assert_no_trace(world)
    assert world.asked == []


async def test_a_question_about_a_tool_of_another_region_is_refused_unjudged() -> None:
    world = World(snapshots=[snapshot()], region="eu")
    await world.pipeline().check(asked("github", "list_issues"), "", world.monotonic() + 1)
    (record,) = world.records
    assert (record.reason, record.tool, len(world.settled)) == (Reason.WRONG_REGION, "github", 1)
    assert world.asked == []


@pytest.mark.parametrize(("tenants", "audience"), [(("acme/amer",), "mesh/eu"), (("acme/emea",), "mesh/us")])
async def test_who_reports_an_outcome_in_another_region_is_nobody_here(tenants: tuple[str, ...], audience: str) -> None:
    world = World(snapshots=[snapshot(tenants=tenants)], region="eu")
    with pytest.raises(Refused) as refused:
        call = asked("stripe", "pay", audience)
        async with attended(world.pipeline(), call, Shares(lambda: 8), world.monotonic() + 1):
            pytest.fail("somebody is attended to")
    assert refused.value.reason is Reason.WRONG_REGION
    assert world.settled == []
