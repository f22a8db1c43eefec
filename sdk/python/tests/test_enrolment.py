"""Which agent a process is: what the environment says, and what is said where it says too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegis_agent import AegisUnavailable
from aegis_agent.enrolment import find_enrolment
from aegis_authz.agent.enrolment import Enrolment, write_enrolment
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.local.layout import Layout
from aegis_authz.local.mesh_facts import read_facts

FINANCE, REPORT = "acme/emea/finance-agent", "acme/emea/report-agent"


def enrol(home: Path, agent: str) -> None:
    folder = home / agent
    folder.mkdir(parents=True)
    places = (
        "http://127.0.0.1:7000/v1/token",
        "aegis",
        "mesh",
        "http://127.0.0.1:9080",
        "http://127.0.0.1:9081/",
        "",
        "http://127.0.0.1:9082/",
    )
    write_enrolment(folder, Enrolment(agent, *places))


def test_the_only_agent_of_this_user_is_meant(tmp_path: Path) -> None:
    enrol(tmp_path / ".config/aegis/agents", FINANCE)
    enrolment = find_enrolment({}, tmp_path, tmp_path)
    assert (enrolment.agent, enrolment.control) == (FINANCE, "http://127.0.0.1:7000")
    assert (enrolment.proxy, enrolment.reverse) == ("http://127.0.0.1:9080", "http://127.0.0.1:9081")
    assert enrolment.evaluation == "http://127.0.0.1:9082"


def test_of_several_the_one_that_is_named(tmp_path: Path) -> None:
    for agent in (FINANCE, REPORT):
        enrol(tmp_path / "aegis/agents", agent)
    environment = {"XDG_CONFIG_HOME": str(tmp_path)}
    with pytest.raises(AegisUnavailable, match=f"say which agent in AEGIS_AGENT; enrolled are {FINANCE}, {REPORT}"):
        find_enrolment(environment, tmp_path, tmp_path)
    assert find_enrolment({**environment, "AEGIS_AGENT": REPORT}, tmp_path, tmp_path).agent == REPORT
    with pytest.raises(AegisUnavailable, match="no agent acme/emea/other is enrolled"):
        find_enrolment({**environment, "AEGIS_AGENT": "acme/emea/other"}, tmp_path, tmp_path)
    with pytest.raises(AegisUnavailable, match="not ORG/TENANT/AGENT"):
        find_enrolment({**environment, "AEGIS_AGENT": "../../x/y/z"}, tmp_path, tmp_path)


def test_a_folder_that_is_named_is_the_one(tmp_path: Path) -> None:
    enrol(tmp_path / "a", FINANCE)
    assert find_enrolment({"AEGIS_AGENT_FOLDER": str(tmp_path / "a" / FINANCE)}, tmp_path, tmp_path).agent == FINANCE


def test_who_is_not_enrolled_is_told_how_to(tmp_path: Path) -> None:
    with pytest.raises(AegisUnavailable, match=r"enrol it with: aegis agent enroll CODE"):
        find_enrolment({}, tmp_path, tmp_path)


def test_a_mesh_that_does_not_run_is_named(tmp_path: Path) -> None:
    enrol(tmp_path / ".aegis/agents", FINANCE)
    with pytest.raises(AegisUnavailable, match=r"no mesh runs in .*; start it with: aegis up"):
        find_enrolment({}, tmp_path, tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"agent": "a/b/c", "agent": "d/e/f"}', '{"agent": 1}'])
def test_a_file_of_another_shape_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "agent.json").write_text(content)
    with pytest.raises(AegisUnavailable, match=r"agent\.json"):
        find_enrolment({"AEGIS_AGENT_FOLDER": str(tmp_path)}, tmp_path, tmp_path)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_mesh_on_this_machine_says_where_it_is_now(mesh: DemoMesh, environment: dict[str, str]) -> None:
    facts = read_facts(mesh.state)
    enrolment = find_enrolment(environment, mesh.folder, mesh.folder)
    assert (enrolment.proxy, enrolment.reverse, enrolment.control) == (facts.proxy, facts.reverse, facts.control)
    bundle = Layout(Path(facts.state), Path(facts.run)).bundle
    assert enrolment.authorities == (str(bundle) if bundle.is_file() else "")
