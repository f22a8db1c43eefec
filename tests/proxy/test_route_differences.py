"""What Envoy says that it runs, held against a catalogue: the real Envoy is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.proxy.route_differences import DUMP_PATH, route_differences

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def at(name: str, host: str, port: int, *actions: Action) -> Tool:
    return Tool(name, host, None, f"http://127.0.0.1:{port}", actions, "", "", None, False, False, NO_INTERFACE)


X, Y = at("x", "x.example", 9001), at("y", "y.example", 9002)
SEND, FIND = (
    Action("send", "POST", ("v1", "{kind}"), (), False, JSON_ALONE, ONE_OPERATION),
    Action("find", "POST", ("v1", "all"), (), False, JSON_ALONE, ONE_OPERATION),
)
SHARED = (at("a", "one.example", 9003, SEND), at("b", "one.example", 9004, FIND))
TOOLS = (X, Y, *SHARED)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def envoy(envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer) -> AsyncIterator[Proxy]:
    async with envoys.running("differences", Catalogue.of(TOOLS), one_authorizer.place) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def dump(envoy: Proxy) -> Any:
    return json.loads((await envoy.admin(DUMP_PATH)).body)


async def test_the_routes_of_the_same_catalogue_do_not_differ(envoy: Proxy, dump: Any) -> None:
    assert route_differences(envoy.settings, Catalogue.of(TOOLS), dump) == []
    assert route_differences(envoy.settings, Catalogue.of(TOOLS[::-1]), dump) == []


async def test_a_tool_that_moved_is_named_with_both_places_on_both_listeners(envoy: Proxy, dump: Any) -> None:
    moved = replace(X, upstream="http://127.0.0.1:9009")
    differences = route_differences(envoy.settings, Catalogue.of((moved, Y, *SHARED)), dump)
    assert len(differences) == 4
    assert {line.partition(":")[0] for line in differences} == {"forward", "reverse"}
    assert all(X.route in line and moved.route in line for line in differences)


async def test_tools_that_swapped_places_are_all_named(envoy: Proxy, dump: Any) -> None:
    swapped = (replace(X, upstream=Y.upstream), replace(Y, upstream=X.upstream), *SHARED)
    differences = " ".join(route_differences(envoy.settings, Catalogue.of(swapped), dump))
    assert "x.example" in differences and "y.example" in differences


async def test_a_tool_too_many_and_a_tool_too_few_are_named(envoy: Proxy, dump: Any) -> None:
    fewer = route_differences(envoy.settings, Catalogue.of((X, *SHARED)), dump)
    assert any(line.startswith("forward: y.example ") and "to no route" in line for line in fewer)
    more = route_differences(envoy.settings, Catalogue.of((*TOOLS, at("z", "z.example", 9005))), dump)
    assert any(line.startswith("forward: z.example ") and "leads to no route" in line for line in more)


async def test_actions_that_changed_hands_at_a_shared_address_are_named(envoy: Proxy, dump: Any) -> None:
    a, b = SHARED
    changed = (X, Y, replace(a, actions=(FIND,)), replace(b, actions=(SEND,)))
    assert any("one.example" in line for line in route_differences(envoy.settings, Catalogue.of(changed), dump))


async def test_routes_that_lead_alike_and_are_of_another_version_are_told(envoy: Proxy, dump: Any) -> None:
    other = json.loads(json.dumps(dump))
    for entry in other["configs"]:
        entry["version_info"] = "by hand"
    differences = route_differences(envoy.settings, Catalogue.of(TOOLS), other)
    assert len(differences) == 2
    assert all("by hand" in line for line in differences)


@pytest.mark.parametrize("empty", [{}, {"configs": []}])
async def test_an_envoy_without_routes_is_told(envoy: Proxy, empty: Any) -> None:
    assert route_differences(envoy.settings, Catalogue.of(TOOLS), empty) == [
        "forward: Envoy runs no routes",
        "reverse: Envoy runs no routes",
    ]


@pytest.mark.parametrize("garbage", [[], {"configs": {}}, {"configs": [{"route_config": []}]}, {"configs": [1]}, "x"])
async def test_what_is_no_dump_is_an_error(envoy: Proxy, garbage: Any) -> None:
    with pytest.raises(ValueError, match="is not"):
        route_differences(envoy.settings, Catalogue.of(TOOLS), garbage)
