"""Where a policy keeps requests open, Envoy has the time for it; everywhere else its limit is what it was."""

from __future__ import annotations

from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.route.v3 import Route
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthzPerRoute

from aegis_authz.config.proxy import InterceptionSettings, ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.intercept.opened import opened_hosts
from aegis_authz.policy.load import load
from aegis_authz.proxy.example import EXAMPLE
from aegis_authz.proxy.filters import EXT_AUTHZ
from aegis_authz.proxy.routes import opened_routes, route_configs

TOOLS = """
tool: bank
host: bank.example
mcp: {}
---
tool: shop
host: shop.example
mcp: {}
"""
HELD = "agent: a\nallowed_tools:\n  - {name: bank, actions: [pay], approval: {always: true, hold: 20s}}\n"


def catalogue(policy: str = HELD) -> Catalogue:
    return load({"p.yaml": policy}, {"t.yaml": TOOLS}).catalogue


def settings(**changes: object) -> ProxySettings:
    return EXAMPLE.model_copy(update={"check_timeout_ms": 300, **changes})


def check_time(route: Route) -> timedelta | None:
    """Envoy's own limit on this route, None where it is that of the filter."""
    per_route = route.typed_per_filter_config[EXT_AUTHZ].unpack()
    assert isinstance(per_route, ExtAuthzPerRoute)
    assert per_route.check_settings is not None
    service = per_route.check_settings.grpc_service
    if service is None:
        return None
    assert service.retry_policy is not None
    assert service.retry_policy.retry_back_off is not None
    assert service.retry_policy.retry_back_off.max_interval == service.timeout, "Envoy takes it for the limit of a try"
    return service.timeout


def times(tools: Catalogue, **changes: object) -> dict[str, set[timedelta | None]]:
    found: dict[str, set[timedelta | None]] = {}
    for configuration in route_configs(settings(**changes), tools):
        for host in configuration.virtual_hosts:
            for route in host.routes:
                found.setdefault(route.name, set()).add(check_time(route))
    return found


def test_a_route_of_a_tool_with_a_hold_has_time_for_it_and_for_two_decisions_and_no_other_has() -> None:
    by_route = times(catalogue())
    assert by_route.pop("bank") == {timedelta(seconds=20.6)}
    assert set().union(*by_route.values()) == {None}


def test_without_a_hold_the_routes_are_what_they_were() -> None:
    plain = catalogue(HELD.replace(", hold: 20s", ""))
    assert set().union(*times(plain).values()) == {None}


def test_requests_inside_of_opened_https_have_the_time_as_well() -> None:
    opened = settings(interception=InterceptionSettings(certificates="127.0.0.1:1"))
    tools = catalogue()
    found = {
        host.host: {
            check_time(route) for entry in opened_routes(host, opened, tools).virtual_hosts for route in entry.routes
        }
        for host in opened_hosts(tools)
    }
    assert timedelta(seconds=20.6) in found["bank.example"]
    assert found["shop.example"] == {None}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (HELD, {"bank": 20.0}),
        (HELD.replace("agent: a\n", "agent: a\nmode: shadow\n"), {}),
        (HELD + "  - {name: bank, actions: [see], approval: {always: true, hold: 30s}}\n", {"bank": 30.0}),
        (HELD.replace("name: bank", "name: bank").replace("{always: true, hold: 20s}", "{always: true}"), {}),
        (
            "agent: a\nlimits:\n  - {count: 3/day, on_exceed: approval_needed, approval: {hold: 15s}}\n",
            {"*": 15.0},
        ),
        (
            "agent: a\nlimits:\n  - {tools: [shop], count: 3/day, on_exceed: approval_needed, approval: {hold: 15s}}\n",
            {"shop": 15.0},
        ),
    ],
)
def test_the_longest_hold_of_what_is_enforced_counts(policy: str, expected: dict[str, float]) -> None:
    tools = catalogue(policy)
    assert dict(tools.holds) == expected
    assert tools.hold_of((tools.by_name["shop"],)) == max(expected.get("shop", 0.0), expected.get("*", 0.0))
