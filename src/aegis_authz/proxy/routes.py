"""Which tool a request goes to, on the forward and on the reverse listener.

The authorizer finds the tool by itself, from the same catalogue; where the two could disagree, nothing
is routed. What no tool claims ends here, after ext_authz has judged and recorded it.
"""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import CheckSettings, ExtAuthzPerRoute
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import LuaPerRoute

from aegis_authz.config import ProxySettings
from aegis_authz.core.catalogue import NO_ROUTE, Catalogue, Tool
from aegis_authz.proxy.clusters import cluster_name
from aegis_authz.proxy.filters import EXT_AUTHZ
from aegis_authz.proxy.places import PLACES, WITHHELD_HEADER, inside_hosts, tool_metadata
from aegis_authz.proxy.shared_address import action_matches
from aegis_authz.proxy.typed import packed
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, ROUTE_EXTENSION, TLS_HEADER, TOOL_EXTENSION
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER

FORWARD, REVERSE = "forward", "reverse"
"""The names of the two route configurations and of their listeners."""

_UNTIMED = timedelta(0)
"""The default of 15 s would cut streams of events; idle ones are ended by the listener."""

_UNSENT = (
    OBLIGATION_HEADER,
    "x-aegis-proof",
    TLS_HEADER,
    "x-aegis-token",
    "x-aegis-approval",
    "proxy-authorization",
    "x-envoy-external-address",
    "x-forwarded-client-cert",
    "x-forwarded-proto",
)
"""Request headers that no tool gets: secrets, who and where the agent is, and that it spoke plain HTTP to us."""

_UNBELIEVED = ("x-aegis-approval-id", "x-aegis-decision", "x-aegis-decision-id", WITHHELD_HEADER)
"""Response headers that a tool cannot set. The router takes them off before ext_authz sets ours."""


_NO_TOOL = "?"
"""No tool can be called so. Without a name the authorizer would find one by the Host header."""


def route_configs(settings: ProxySettings, catalogue: Catalogue) -> list[RouteConfiguration]:
    """The route configurations of both listeners."""
    inside = inside_hosts(catalogue.by_name.values())
    return [
        _configuration(FORWARD, _forward_hosts(catalogue), inside),
        _configuration(REVERSE, [_reverse_host(catalogue)], inside),
    ]


def _configuration(name: str, hosts: list[VirtualHost], inside: LuaPerRoute) -> RouteConfiguration:
    # what a virtual host tells the authorizer comes to what its routes do
    listener = CheckSettings(context_extensions={LISTENER_EXTENSION: name})
    for host in hosts:
        host.typed_per_filter_config = {EXT_AUTHZ: packed(ExtAuthzPerRoute(check_settings=listener))}
    return RouteConfiguration(
        name=name,
        virtual_hosts=hosts,
        request_headers_to_remove=list(_UNSENT),
        response_headers_to_remove=list(_UNBELIEVED),
        typed_per_filter_config={PLACES: packed(inside)},
    )


def _forward_hosts(catalogue: Catalogue) -> list[VirtualHost]:
    hosts: list[VirtualHost] = []
    all_domains: set[str] = set()
    # the default port first: the authorizer reads host:80 as the host alone
    addresses = sorted(catalogue.by_address, key=lambda address: (address[0], address[1] or 0))
    for host, port in addresses:
        domains = [host, f"{host}:80"] if port is None else [f"{host}:{port}"]
        if all_domains.isdisjoint(domains):
            all_domains.update(domains)
            routes = _forward_routes(catalogue.by_address[host, port])
            hosts.append(VirtualHost(name=domains[0], domains=domains, routes=routes))
    unclaimed = _answer("unclaimed", 403, "No tool of the catalogue answers at this address.\n")
    return [*hosts, VirtualHost(name="unclaimed", domains=["*"], routes=[unclaimed])]


def _forward_routes(tools: tuple[Tool, ...]) -> list[Route]:
    first = tools[0]
    if len({tool.route for tool in tools}) == 1:
        return [_to_tool(first, RouteMatch(prefix="/"), RouteAction())]
    routes = [_to_tool(tool, match, RouteAction()) for tool, match in action_matches(tools)]
    return [*routes, _answer("unmatched", 403, "No tool at this address has such an action.\n")]


def _reverse_host(catalogue: Catalogue) -> VirtualHost:
    routes: list[Route] = []
    for name in sorted(catalogue.by_name):
        tool = catalogue.by_name[name]
        for match in (RouteMatch(prefix=f"/{name}/"), RouteMatch(path=f"/{name}")):
            action = RouteAction(prefix_rewrite="/", host_rewrite_literal=tool.authority)
            routes.append(_to_tool(tool, match, action, name))
    unknown = _answer("unknown", 404, "No tool of the catalogue has this prefix.\n", _NO_TOOL)
    return VirtualHost(name="tools", domains=["*"], routes=[*routes, unknown])


def _to_tool(tool: Tool, match: RouteMatch, action: RouteAction, hint: str = "") -> Route:
    action.cluster = cluster_name(tool)
    action.timeout = _UNTIMED
    metadata = tool_metadata(tool, f"/{hint}" if hint else "")
    return _marked(Route(name=tool.name, match=match, route=action, metadata=metadata), tool.route, hint)


def _answer(name: str, status: int, text: str, hint: str = "") -> Route:
    response = DirectResponseAction(status=status, body=DataSource(inline_string=text))
    return _marked(Route(name=name, match=RouteMatch(prefix="/"), direct_response=response), NO_ROUTE, hint)


def _marked(route: Route, leads_to: str, hint: str) -> Route:
    """The route, which tells the authorizer where it leads, and its tool where the path names it."""
    extensions = {ROUTE_EXTENSION: leads_to} | ({TOOL_EXTENSION: hint} if hint else {})
    settings = CheckSettings(context_extensions=extensions)
    route.typed_per_filter_config = {EXT_AUTHZ: packed(ExtAuthzPerRoute(check_settings=settings))}
    return route
