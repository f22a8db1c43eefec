"""A whole mesh on a Redis Cluster of three masters: real Envoy, OPA, authorizers and control plane, a tenant on each master."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import redis

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.scope import Scope
from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh, demo_mesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.scenario import PAYMENTS
from aegis_authz.local.documents import example_documents
from tests.support.real_cluster import ClusterNode, RealCluster, running_cluster

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

ON_REDIS = ("authz-0", "authz-1", "control")
PATIENCE = 60.0
DOCUMENT = """
org: acme
tenant: {tenant}
agent: payer
name: payer-{tenant}
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions: {{max_amount: 1000, approval_needed_over: 500}}
    count: {{max: 3, per: 24h}}
"""


@dataclass(frozen=True)
class ClusterMesh:
    """The mesh, its cluster, and a tenant whose keys each of the masters holds."""

    mesh: DemoMesh
    agent: Agent
    cluster: RealCluster
    tenants: dict[ClusterNode, str]

    async def pay(self, tenant: str, amount: float, token: str | None = None) -> Reply:
        shown = self.agent.tokens.mint("payer", tenant) if token is None else token
        return await self.agent.call("payer", "POST", PAYMENTS, {"amount": amount, "payee": "x"}, shown)


@pytest.fixture(scope="module")
def cluster(redis_binary: Path) -> Iterator[RealCluster]:
    with running_cluster(redis_binary) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def on_cluster(cluster: RealCluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ClusterMesh]:
    tenants = {node: tenant_of(cluster, node) for node in cluster.masters}
    async with demo_mesh(tmp_path_factory.mktemp("cluster"), example_documents()) as mesh:
        for tenant in tenants.values():
            (mesh.policies / f"payer-{tenant}.yaml").write_text(DOCUMENT.format(tenant=tenant), "utf-8")
        await mesh.publish()
        await move_to(mesh, cluster.url)
        agent = agent_of(mesh)
        yield ClusterMesh(mesh, agent, cluster, tenants)
        await agent.close()


def tenant_of(cluster: RealCluster, node: ClusterNode) -> str:
    names = (f"t{number}" for number in itertools.count())
    return next(name for name in names if cluster.master_of(epoch_of(name)) is node)


def epoch_of(tenant: str) -> str:
    return redis_keys.epoch(redis_keys.partition_of(Scope("acme", tenant, "payer")))


def facts_of(mesh: DemoMesh) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads((mesh.state / "mesh.json").read_text("utf-8"))
    return facts


async def move_to(mesh: DemoMesh, url: str) -> None:
    """Put a running mesh on another Redis, as its operator would: other settings, and its processes started again."""
    before = facts_of(mesh)
    for name in ("authz.yaml", "control.yaml"):
        settings = mesh.state / name
        text = settings.read_text("utf-8")
        assert before["redis"] in text
        settings.write_text(text.replace(before["redis"], url), "utf-8")
    with redis.Redis.from_url(before["redis"]) as alone:
        for name in ON_REDIS:
            os.kill(before["pids"][name], signal.SIGKILL)
        async with asyncio.timeout(PATIENCE):
            while not is_started_again(mesh, before["pids"]):
                await asyncio.sleep(0.05)
        alone.flushall()


def is_started_again(mesh: DemoMesh, before: dict[str, int]) -> bool:
    facts = facts_of(mesh)
    ready = {entry["name"] for entry in facts["processes"] if entry["state"] == "ready"}
    return ready.issuperset(ON_REDIS) and all(facts["pids"][name] != before[name] for name in ON_REDIS)


async def until(on_cluster: ClusterMesh, tenant: str, amount: float, reason: str) -> Reply:
    """Call until that is the reason."""
    async with asyncio.timeout(PATIENCE):
        while (reply := await on_cluster.pay(tenant, amount)).reason != reason:
            await asyncio.sleep(0.1)
    return reply


async def test_what_was_used_of_limits_elsewhere_counts_as_lost(on_cluster: ClusterMesh) -> None:
    for tenant in on_cluster.tenants.values():
        assert (await until(on_cluster, tenant, 1, "LIMIT_LOST")).decision == "deny"


async def test_tenants_of_every_master_are_allowed_refused_limited_and_approved(on_cluster: ClusterMesh) -> None:
    await on_cluster.mesh.aegis("limits", "reset", "--dir", str(on_cluster.mesh.state), "--note", "on a cluster now")
    for node, tenant in on_cluster.tenants.items():
        token = on_cluster.agent.tokens.mint("payer", tenant)
        allowed = await on_cluster.pay(tenant, 10, token)
        assert (allowed.status, allowed.decision) == (201, "allow")
        assert (await on_cluster.pay(tenant, 10, token)).reason == "REPLAYED"
        assert (await on_cluster.pay(tenant, 1001)).reason == "POLICY_DENIED"

        held = await on_cluster.pay(tenant, 600)
        assert held.decision == "approval_needed"
        await on_cluster.mesh.approve(held.approval_id)
        approved = await on_cluster.pay(tenant, 600)
        assert (approved.status, approved.reason) == (201, "APPROVED")
        assert (await on_cluster.pay(tenant, 600)).approval_id not in {"", held.approval_id}

        assert (await on_cluster.pay(tenant, 11)).reason == "ALLOWED"
        over = await on_cluster.pay(tenant, 12)
        assert (over.status, over.reason) == (429, "COUNT_EXCEEDED")
        partition = redis_keys.partition_of(Scope("acme", tenant, "payer"))
        assert any(b"{%s}:limit:" % partition.encode() in name for name in names_at(node))


async def test_the_redis_of_before_is_asked_by_nobody(on_cluster: ClusterMesh) -> None:
    with redis.Redis.from_url(facts_of(on_cluster.mesh)["redis"]) as alone:
        assert alone.dbsize() == 0


async def test_a_master_that_is_gone_refuses_its_tenants_and_no_others(on_cluster: ClusterMesh) -> None:
    gone = on_cluster.cluster.masters[1]
    gone.kill()
    refused = await on_cluster.pay(on_cluster.tenants[gone], 10)
    assert (refused.decision, refused.reason) in {("deny", "STORE_UNAVAILABLE"), ("deny", "STORE_TIMEOUT")}
    for node, tenant in on_cluster.tenants.items():
        if node is not gone:
            assert (await on_cluster.pay(tenant, 1001)).reason == "POLICY_DENIED"  # its token is spent there
    gone.start()
    refused = await until(on_cluster, on_cluster.tenants[gone], 10, "LIMIT_LOST")
    assert refused.decision == "deny"


def names_at(node: ClusterNode) -> list[bytes]:
    names = node.command("KEYS", "*")
    assert isinstance(names, list)
    return names
