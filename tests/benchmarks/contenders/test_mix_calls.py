from __future__ import annotations

import json
from collections import Counter

import pytest

from benchmarks.contenders.mix_calls import HELD, MOST_BODY, MixCall, draw
from benchmarks.contenders.mix_world import TENANTS, World, make_world

COUNT = 2000


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(1)


@pytest.fixture(scope="module")
def calls(world: World) -> list[MixCall]:
    return draw(world, world.agents, COUNT, 2)


def test_the_same_seed_draws_the_same_calls(world: World, calls: list[MixCall]) -> None:
    assert draw(world, world.agents, COUNT, 2) == calls
    assert draw(world, world.agents, COUNT, 3) != calls


def test_one_call_in_twenty_is_denied_and_one_in_fifty_held(calls: list[MixCall]) -> None:
    dues = Counter(each.call.due for each in calls)
    assert {due.reason or "allowed": share / COUNT for due, share in dues.items()} == {
        "allowed": 0.93,
        "POLICY_DENIED": 0.05,
        HELD.reason: 0.02,
    }


def test_bodies_that_write_are_of_200_bytes_to_20_kilobytes_evenly_by_their_logarithm(calls: list[MixCall]) -> None:
    sizes = sorted(len(each.call.body) for each in calls if each.call.body and b"read_" not in each.call.body)
    assert sizes[0] > 180
    assert sizes[-1] < MOST_BODY * 1.05
    thirds = Counter(min(2, int(size > 930) + int(size > 4300)) for size in sizes)
    assert all(0.25 < share / len(sizes) < 0.42 for share in thirds.values())


def test_no_body_comes_twice(calls: list[MixCall]) -> None:
    bodies = Counter(each.call.body for each in calls if each.call.body and b"read_" not in each.call.body)
    assert max(bodies.values()) == 1


def test_every_tenant_every_tool_both_keys_and_mcp_take_part(world: World, calls: list[MixCall]) -> None:
    assert len({each.rights.scope.tenant for each in calls}) == TENANTS
    assert {each.tool for each in calls} == set(world.tools)
    assert 0.4 < sum(each.key for each in calls) / COUNT < 0.6
    assert 0.07 < sum(each.tool.is_mcp for each in calls) / COUNT < 0.13


def test_a_call_of_mcp_names_a_tool_that_its_server_has(calls: list[MixCall]) -> None:
    messages = [json.loads(each.call.body) for each in calls if each.tool.is_mcp]
    assert {message["method"] for message in messages} == {"tools/call"}
    assert all({"name", "arguments"} == message["params"].keys() for message in messages)


def test_a_denied_call_breaks_a_condition_or_is_of_a_tool_that_the_agent_has_no_rule_for(calls: list[MixCall]) -> None:
    denied = [each for each in calls if each.call.due.reason == "POLICY_DENIED"]
    strangers = [each for each in denied if each.tool not in each.rights.tools]
    assert 0 < len(strangers) < len(denied) / 2
    assert all(each.tool in each.rights.tools for each in calls if each not in denied)
