from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console

from aegis_authz.core.scope import Scope
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.tools import DemoTools
from aegis_authz.load.calls import Signer
from aegis_authz.load.outcome import Outcome
from benchmarks.contenders.lone_mesh import LoneMesh, other_agent, write_documents
from benchmarks.flat import AgentsLoad, Flat, MeshStart, Size, gathered, ratio, show
from benchmarks.measure import results
from benchmarks.measure.rounds import ClosedRound


class NotRunning(LoneMesh):
    @property
    def url(self) -> str:
        return "http://127.0.0.1:1"


@pytest.fixture
def mesh(tmp_path: Path) -> LoneMesh:
    signer = Signer(Ed25519PrivateKey.generate(), "aegis", "aegis-mesh", Scope("acme", "emea", "finance-agent"))
    return NotRunning(DemoMesh(tmp_path / "mesh", DemoTools()), signer)


def played(opa: float, wrong: int = 0) -> ClosedRound:
    outcome = Outcome(None, 1.0, 100, 100, {}, wrong, 0, {}, (0.001,) * 100)
    return ClosedRound(outcome, {"authz": 0.04, "opa": opa, "redis": 0.01, "envoy": 0.5})


def found(mesh: LoneMesh, costs: Mapping[tuple[int, int], float], wrong: int = 0) -> Flat:
    """What is found when OPA took so many seconds, by number of policies and agents."""
    sizes = [Size(mesh, policies, agents, {}) for policies, agents in costs]
    rounds = {size.name: [played(opa, wrong)] * 3 for size, opa in zip(sizes, costs.values(), strict=True)}
    started = {policies: MeshStart(mesh, 1.0, 2.0, 2**20) for policies, _ in costs}
    return gathered(sizes, rounds, started, {policies: 50.0 for policies, _ in costs})


EVEN = {(10, 1): 0.05, (10_000, 1): 0.06, (10_000, 100): 0.05}


def printed(flat: Flat) -> str:
    written = io.StringIO()
    show(Console(file=written, width=120), flat)
    return written.getvalue()


def test_policies_are_compared_for_one_agent_and_agents_among_the_most_policies(mesh: LoneMesh) -> None:
    flat = found(mesh, EVEN)
    assert flat.policies == pytest.approx({10: 1000, 10_000: 1100})
    assert flat.agents == pytest.approx({1: 1100, 100: 1000})


def test_the_envoy_in_front_is_shown_and_not_counted(mesh: LoneMesh) -> None:
    flat = found(mesh, EVEN)
    assert flat.by_part["10 policies, 1 agent"] == pytest.approx(
        {"authz": 400, "opa": 500, "redis": 100, "envoy": 5000}
    )


def test_what_is_written_is_what_the_goals_read(mesh: LoneMesh) -> None:
    read = results.Flat.model_validate_json(found(mesh, EVEN).model_dump_json())
    assert read.policies[10_000] == pytest.approx(1100)
    assert read.opa_mib == {"10 policies": 50.0, "10,000 policies": 50.0}


def test_costs_within_the_goal_are_told_as_met(mesh: LoneMesh) -> None:
    assert "policies: the dearest costs 1.10x the cheapest; goal, at most 1.3x: met" in printed(found(mesh, EVEN))


def test_costs_beyond_the_goal_are_told_as_missed(mesh: LoneMesh) -> None:
    flat = found(mesh, {**EVEN, (10_000, 100): 0.12})
    assert ratio(flat.agents) == pytest.approx(17 / 11)
    assert "agents: the dearest costs 1.55x the cheapest; goal, at most 1.3x: missed" in printed(flat)


def test_a_wrong_answer_voids_the_run(mesh: LoneMesh) -> None:
    assert "9 wrong answers: this run is void" in printed(found(mesh, EVEN, wrong=1))


async def test_all_agents_call_in_turn_each_with_tokens_of_its_own(mesh: LoneMesh, tmp_path: Path) -> None:
    load = AgentsLoad(Path("/bin/true"), tmp_path)
    path = await load.prepare(Size(mesh, 10, 5, {}), 40)
    lines = path.read_text("utf-8").splitlines()
    tokens = [json.loads(line)["header"]["X-Aegis-Token"][0] for line in lines]
    assert len(set(tokens)) == 40
    # the payload names the agent, and an equal beginning of the payload is an equal agent
    assert len({token.split(".")[1][:120] for token in tokens}) > 1


async def test_only_a_size_can_be_loaded(tmp_path: Path, mesh: LoneMesh) -> None:
    class Somebody:
        name, url, pids, judges, proves = "somebody", "", dict[str, tuple[int, ...]](), True, False
        agent = "bot"

    with pytest.raises(TypeError, match="somebody has no agents"):
        await AgentsLoad(Path("/bin/true"), tmp_path).prepare(Somebody(), 1)


def test_many_policies_share_few_files(mesh: LoneMesh) -> None:
    write_documents(mesh.mesh, 250, 9001)
    files = sorted(path.name for path in mesh.mesh.policies.glob("*.yaml"))
    assert files == ["finance-agent.yaml", "others-0.yaml", "others-100.yaml", "others-200.yaml", "spending-agent.yaml"]
    text = "".join((mesh.mesh.policies / name).read_text("utf-8") for name in files)
    assert all(f"agent: {other_agent(number)}\n" in text for number in range(250))
