from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.agent.enrolment import enrolled_agents, read_enrolment
from aegis_authz.commands.local_agents import LOCAL_AGENTS, MOST_LOCAL_AGENTS, enrol_local_agents
from aegis_authz.config.authz import WorkerHost
from aegis_authz.core.scope import Scope
from aegis_authz.local.layout import Layout
from aegis_authz.local.settings import MeshOptions
from aegis_authz.policy.load import load

FINANCE, CODING = Scope("acme", "emea", "finance"), Scope("acme", "emea", "coding")
PORTS = {"proxy": 1, "reverse": 2, "control": 3, "metrics": 4, "evaluation": 6, "probe": 5}


def policy(agent: str) -> str:
    return f"org: acme\ntenant: emea\nagent: {agent}\nallowed_tools: []\n"


def options(folder: Path, ports: dict[str, int] = PORTS) -> MeshOptions:
    return MeshOptions(folder, folder, ports, 1, WorkerHost("http2"), "local", "", 250)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path, tmp_path / "run")
    (layout.folder("probe") / "policies").mkdir()
    return layout


def enrol(layout: Layout, *texts: str, ports: dict[str, int] = PORTS) -> tuple[Scope, ...]:
    sources = {f"{number}.yaml": text for number, text in enumerate(texts)}
    sources[str(layout.state / "probe" / "policies" / "doctor.yaml")] = policy("prober")
    return enrol_local_agents(options(layout.state, ports), layout, load(sources, {}))


def registered(layout: Layout) -> dict[str, object]:
    document: dict[str, object] = json.loads((layout.state / "probe" / "policies" / LOCAL_AGENTS).read_text())["agents"]  # type: ignore[assignment]
    return document


def test_each_agent_that_policies_name_can_call_at_once(layout: Layout) -> None:
    assert enrol(layout, policy("finance"), policy("coding"), policy("finance") + "name: more\n") == (FINANCE, CODING)
    home = layout.state / "agents"
    assert enrolled_agents(home) == (CODING, FINANCE)
    key = home / "acme" / "emea" / "finance" / "key.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    enrolment = read_enrolment(key.parent)
    assert (enrolment.token_endpoint, enrolment.reverse) == ("http://127.0.0.1:3/v1/token", "http://127.0.0.1:2")
    assert enrolment.evaluation == "http://127.0.0.1:6"
    own = (layout.state / "probe" / "policies" / LOCAL_AGENTS).read_text()
    assert {scope for scope, _ in load({"own.yaml": own}, {}).identities.entries()} == {FINANCE, CODING}


def test_a_key_is_made_once_and_the_places_are_those_of_today(layout: Layout) -> None:
    enrol(layout, policy("finance"))
    before = registered(layout)
    enrol(layout, policy("finance"), ports={**PORTS, "control": 33})
    assert registered(layout) == before
    enrolment = read_enrolment(layout.state / "agents" / "acme" / "emea" / "finance")
    assert enrolment.token_endpoint == "http://127.0.0.1:33/v1/token"


def test_groups_and_agents_that_an_operator_registers_are_left_to_them(layout: Layout) -> None:
    own = "agents:\n  acme/emea/finance: {owner: me, keys: [{kty: OKP, crv: Ed25519, x: 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo}]}\n"
    assert enrol(layout, policy("finance"), policy('"build-*"'), own) == ()
    assert not (layout.state / "probe" / "policies" / LOCAL_AGENTS).exists()


def test_what_is_no_laptops_folder_gets_no_keys(layout: Layout) -> None:
    enrol(layout, policy("finance"))
    many = [policy(f"a{number}") for number in range(MOST_LOCAL_AGENTS + 1)]
    assert enrol(layout, *many) == ()
    assert not (layout.state / "probe" / "policies" / LOCAL_AGENTS).exists()


def test_of_a_region_none_but_its_own_agents_get_keys(layout: Layout) -> None:
    amer = "org: acme\ntenant: amer\nagent: trader\nallowed_tools: []\n"
    regions = "residency: {eu: {tenants: [acme/emea]}, us: {tenants: [acme/amer]}}\n"
    loaded = load({"1.yaml": policy("finance"), "2.yaml": amer, "regions.yaml": regions}, {})
    here = replace(options(layout.state), region="eu")
    assert enrol_local_agents(here, layout, loaded) == (FINANCE,)
    assert not (layout.state / "agents" / "acme" / "amer").exists()
    assert list(registered(layout)) == ["acme/emea/finance"]
