"""The world of the mix is the same for Aegis and for the Go peer, whose policy is asked here as it stands."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.sources import read_sources
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.load.calls import Signer
from aegis_authz.policy.load import load
from benchmarks.contenders import peer
from benchmarks.contenders.mix_calls import HELD, MixCall, draw
from benchmarks.contenders.mix_world import (
    AGENTS,
    TENANTS,
    TOOLS,
    Shape,
    World,
    make_world,
    mix_peer_data,
    policy,
    write_world,
)

KEYS = tuple(Ed25519PrivateKey.generate() for _ in range(2))
RAWS = tuple(key.public_key().public_bytes_raw() for key in KEYS)
NAMED = [(thumbprint(raw), raw) for raw in RAWS]


@pytest.fixture
def small() -> World:
    """All tools, and the agents of one tenant in twenty."""
    world = make_world(1)
    return replace(world, agents=world.agents[::TENANTS])


def peer_input(each: MixCall, key: Ed25519PrivateKey) -> dict[str, Any]:
    """What the plugin makes of a call for its policy."""
    token = next(Signer(key, "aegis", "aegis-mesh", each.rights.scope).tokens("test", time.time()))
    call = each.call
    http = {"method": call.method, "host": call.host, "path": call.path, "headers": {"x-aegis-token": token}}
    body = {"parsed_body": json.loads(call.body)} if call.body else {}
    path = urlsplit(call.path).path.strip("/").split("/")
    return {"attributes": {"request": {"http": http}}, "parsed_path": path, **body}


def answers(opa: Path, folder: Path, world: World, inputs: Sequence[dict[str, Any]]) -> list[bool]:
    """What the peer's policy says to each."""
    (folder / "data.json").write_text(json.dumps(mix_peer_data(world, NAMED)), "utf-8")
    rules = ["--data", str(Path(peer.__file__).with_name("mix.rego")), "--data", str(folder / "data.json")]
    query = "[allowed | each := input[_]; allowed := data.envoy.authz.allow with input as each]"
    command = [str(opa), "eval", *rules, "--stdin-input", "--format", "raw", query]
    ran = subprocess.run(command, input=json.dumps(inputs), capture_output=True, text=True, check=True)
    return [bool(answer) for answer in json.loads(ran.stdout)]


def test_the_same_seed_makes_the_same_world() -> None:
    assert make_world(1) == make_world(1)
    assert make_world(1) != make_world(2)


def test_there_are_50_tools_200_actions_and_500_agents_in_20_tenants() -> None:
    world = make_world(1)
    assert len({tool.host for tool in world.tools}) == TOOLS == 50
    assert len({(tool.name, tool.action(shape)) for tool in world.tools for shape in Shape}) == 200
    assert len({rights.scope for rights in world.agents}) == AGENTS == 500
    assert len({rights.scope.tenant for rights in world.agents}) == len(world.of_tenants) == 20


def test_the_documents_can_be_loaded_and_register_who_has_a_key(small: World, tmp_path: Path) -> None:
    for name in ("policies", "tools"):
        (tmp_path / name).mkdir()
    agent = str(small.agents[0].scope)
    write_world(
        small, tmp_path / "policies", tmp_path / "tools", 9001, {agent: {"owner": "platform", "ways": ["token"]}}
    )
    loaded = load(*[read_sources(tmp_path / name) for name in ("policies", "tools")])
    assert len(loaded.tools) == 50
    assert len(loaded.loaded_policies) == len(small.agents)
    assert [str(scope) for scope, _ in loaded.identities.entries()] == [agent]


def test_a_policy_has_a_rule_for_each_action_and_asks_for_an_approval_of_large_amounts_alone(small: World) -> None:
    rights = small.agents[0]
    rules = policy(rights)["allowed_tools"]
    assert len(rules) == len(rights.tools) * len(Shape)
    asking = [rule for rule in rules if "approval" in rule]
    assert len(asking) == len(rights.tools)
    assert all(rule["conditions"]["approval_needed_over"] == rights.held_over < rights.most for rule in asking)


def test_the_peer_allows_what_is_due_to_pass_and_nothing_else(opa_binary: Path, tmp_path: Path, small: World) -> None:
    calls = draw(small, small.agents, 300, 4)
    found = answers(opa_binary, tmp_path, small, [peer_input(each, KEYS[each.key]) for each in calls])
    assert found == [each.call.due.status == 200 for each in calls]
    assert any(each.call.due == HELD for each in calls)


def test_the_peer_takes_neither_a_strange_key_nor_a_strange_path_nor_another_method(
    opa_binary: Path, tmp_path: Path, small: World
) -> None:
    each = next(each for each in draw(small, small.agents, 300, 4) if each.call.method == "PATCH" and not each.key)
    inputs = [
        peer_input(each, KEYS[0]),
        peer_input(each, Ed25519PrivateKey.generate()),
        peer_input(replace(each, call=replace(each.call, path=f"{each.call.path}/messages")), KEYS[0]),
        peer_input(replace(each, call=replace(each.call, method="PUT")), KEYS[0]),
    ]
    assert answers(opa_binary, tmp_path, small, inputs) == [each.call.due.status == 200, False, False, False]
