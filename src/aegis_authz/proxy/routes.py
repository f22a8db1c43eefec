"""Which tool a request goes to, on the forward and on the reverse listener.

The authorizer finds the tool by itself, from the same catalogue; where the two could disagree, nothing
is routed. What no tool claims ends here, after ext_authz has judged and recorded it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteActionUpgradeConfig,
    RouteConfiguration,
    RouteMatch,
    RouteMatchConnectMatcher,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import CheckSettings, ExtAuthzPerRoute
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import LuaPerRoute
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from aegis_authz.config.proxy import InterceptionSettings, ProxySettings, WorkloadListener
from aegis_authz.config.values import SHARED_LISTENERS
from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.core.catalogue import NO_ROUTE, Catalogue, Tool
from aegis_authz.intercept.opened import OpenedHost, opened_hosts
from aegis_authz.proxy.clusters import cluster_name
from aegis_authz.proxy.filters import EXT_AUTHZ
from aegis_authz.proxy.holds import with_holds
from aegis_authz.proxy.places import PLACES, WITHHELD_HEADER, inside_hosts, tool_metadata
from aegis_authz.proxy.shared_address import action_matches
from aegis_authz.proxy.tunnels import CARRY, carries, connect_route, end_route, unclaimed_route
from aegis_authz.proxy.typed import packed
from aegis_authz.wire.envoy.ext_authz import (
    INSIDE,
    LISTENER_EXTENSION,
    OPENED,
    REDIRECTED,
    REDIRECTED_EXTENSION,
    ROUTE_EXTENSION,
    TLS_HEADER,
    TOOL_EXTENSION,
    TUNNEL_EXTENSION,
    TUNNEL_ID_HEADER,
    TUNNEL_PROOF_HEADER,
    TUNNEL_TARGET_HEADER,
    UNREAD,
    UNREAD_EXTENSION,
)
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER

FORWARD, REVERSE = SHARED_LISTENERS
"""The names of the two route configurations that every agent may enter, and of their listeners."""

_UNTIMED = timedelta(0)
"""The default of 15 s would cut streams of events; idle ones are ended by the listener."""

_UNSENT = (
    OBLIGATION_HEADER,
    "x-aegis-proof",
    TLS_HEADER,
    TUNNEL_ID_HEADER,
    TUNNEL_PROOF_HEADER,
    TUNNEL_TARGET_HEADER,
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


def routes_file(listener: str) -> str:
    """The file of a listener's route configuration, one for each: Envoy refuses a file with two."""
    return f"rds-{listener}.yaml"


def route_configs(settings: ProxySettings, catalogue: Catalogue) -> list[RouteConfiguration]:
    """The route configurations of all listeners: the name of each tells the authorizer by which a call came in."""
    inside = inside_hosts(catalogue.reached)
    forward = _forward_hosts(catalogue)
    if settings.interception is not None:
        _add_tunnels(forward, catalogue, settings.interception)
    transparent = [] if settings.transparent is None else sorted(settings.transparent.listeners)
    configurations = [
        _configuration(FORWARD, forward, inside),
        _configuration(REVERSE, [_reverse_host(catalogue, ["*"])], inside),
        *(
            _configuration(name, _both(catalogue, _own_names(entry)), inside)
            for name, entry in sorted(settings.workload.items())
        ),
        *(_configuration(name, _forward_hosts(catalogue), inside, _REDIRECTED_EXTENSIONS) for name in transparent),
    ]
    return [with_holds(routes, settings, catalogue) for routes in configurations]


def opened_routes(host: OpenedHost, settings: ProxySettings, catalogue: Catalogue) -> RouteConfiguration:
    """The routes of requests inside a tunnel to a host: to its tools alone."""
    hosts = _hosts_behind(host)
    routes = _configuration(FORWARD, hosts, inside_hosts(catalogue.reached), {TUNNEL_EXTENSION: INSIDE})
    return with_holds(routes, settings, catalogue)


def redirected_routes(name: str, host: OpenedHost, settings: ProxySettings, catalogue: Catalogue) -> RouteConfiguration:
    """The routes of requests that a transparent listener took out of TLS to a host: to its tools alone."""
    hosts = _hosts_behind(host)
    routes = _configuration(name, hosts, inside_hosts(catalogue.reached), _REDIRECTED_EXTENSIONS)
    return with_holds(routes, settings, catalogue)


def redirected_tunnels(name: str, hosts: Sequence[OpenedHost]) -> RouteConfiguration:
    """The routes of connections that a transparent listener passes through unread: to each host its tool."""
    places = [
        VirtualHost(
            name=f"{_CONNECT}{host.target}",
            domains=[host.target],
            routes=[_tunnel(end_route(f"{_CONNECT}{host.target}", cluster_name(host.tools[0])), host.tools[0])],
        )
        for host in hosts
    ]
    other = VirtualHost(name="unclaimed", domains=["*"], routes=[_refused_tunnel()])
    return _configuration(name, [*places, other], inside_hosts(()), _REDIRECTED_EXTENSIONS)


def _hosts_behind(host: OpenedHost) -> list[VirtualHost]:
    own = VirtualHost(name=host.target, domains=list(host.authorities), routes=_routes_to(host.tools, "https"))
    misdirected = _answer("misdirected", 403, "The request names another host than the handshake.\n")
    return [own, VirtualHost(name="misdirected", domains=["*"], routes=[misdirected])]


def unclaimed_routes() -> RouteConfiguration:
    """The routes of requests inside a tunnel to a host that no tool claims: to nobody."""
    hosts = [VirtualHost(name="unclaimed", domains=["*"], routes=[_unclaimed()])]
    return _configuration(FORWARD, hosts, inside_hosts(()), {TUNNEL_EXTENSION: INSIDE})


def _configuration(
    name: str, hosts: list[VirtualHost], inside: LuaPerRoute, extensions: Mapping[str, str] = MappingProxyType({})
) -> RouteConfiguration:
    # what a virtual host tells the authorizer comes to what its routes do
    listener = CheckSettings(context_extensions={LISTENER_EXTENSION: name, **extensions})
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
            routes = _routes_to(catalogue.by_address[host, port], "http")
            hosts.append(VirtualHost(name=domains[0], domains=domains, routes=routes))
    return [*hosts, VirtualHost(name="unclaimed", domains=["*"], routes=[_unclaimed()])]


def _own_names(entry: WorkloadListener) -> list[str]:
    """What the clients of a listener of one agent call it. No other name will do: a web page could have it."""
    place = read_address(entry.listen)
    if isinstance(place, UnixAddress):
        return ["localhost", "localhost:80"]
    host = f"[{place.host}]" if ":" in place.host else place.host
    return sorted({f"{name}:{place.port}" for name in (host, "localhost")})


def _both(catalogue: Catalogue, own_names: list[str]) -> list[VirtualHost]:
    """The hosts of the forward listener, and the reverse routes under the names that no tool has."""
    hosts = _forward_hosts(catalogue)
    claimed = {domain for host in hosts for domain in host.domains}
    free = [name for name in own_names if name not in claimed]
    return [_reverse_host(catalogue, free), *hosts] if free else hosts


def _unclaimed() -> Route:
    return _answer("unclaimed", 403, "No tool of the catalogue answers at this address.\n")


def _add_tunnels(hosts: list[VirtualHost], catalogue: Catalogue, interception: InterceptionSettings) -> None:
    """Give each opened host its CONNECT route, and all others one that leads to a refusal."""
    by_domain = {domain: host for host in hosts for domain in host.domains}
    others = by_domain["*"]
    for opened in opened_hosts(catalogue):
        route = _tunnel(connect_route(f"{_CONNECT}{opened.target}", opened.port), opened.tools[0])
        same = by_domain.get(opened.target)
        if same is not None:
            same.routes.insert(0, route)
        else:
            hosts.append(VirtualHost(name=route.name, domains=[opened.target], routes=[route, _unclaimed()]))
    readable = [_tunnel(unclaimed_route(f"{_CONNECT}unclaimed"), None)] if interception.unclaimed else []
    others.routes = [*readable, *others.routes]
    for host in hosts:
        # behind what is opened: what is refused is asked about, and recorded, as well
        host.routes.insert(sum(route.name.startswith(_CONNECT) for route in host.routes), _refused_tunnel())


def _refused_tunnel() -> Route:
    refused = _unclaimed()
    refused.name, refused.match = f"{_CONNECT}refused", RouteMatch(connect_matcher=RouteMatchConnectMatcher())
    settings = CheckSettings(context_extensions={ROUTE_EXTENSION: NO_ROUTE}, disable_request_body_buffering=True)
    refused.typed_per_filter_config = {EXT_AUTHZ: packed(ExtAuthzPerRoute(check_settings=settings))}
    return refused


def _tunnel(route: Route, tool: Tool | None) -> Route:
    """A route of CONNECT, which tells the authorizer that what is inside will be judged request by request; or, for a
    tool that is passed through, that nothing will be.
    """
    is_opaque = tool is not None and tool.is_opaque
    extensions = {ROUTE_EXTENSION: tool.route} if tool is not None and is_opaque else _OPENED_EXTENSIONS
    # the bytes of a tunnel are no body that could be waited for
    settings = CheckSettings(context_extensions=extensions, disable_request_body_buffering=True)
    route.typed_per_filter_config = {
        EXT_AUTHZ: packed(ExtAuthzPerRoute(check_settings=settings)),
        CARRY: packed(carries()),
    }
    return route


_CONNECT = "connect:"
_REDIRECTED_EXTENSIONS = {REDIRECTED_EXTENSION: REDIRECTED}
_OPENED_EXTENSIONS = {ROUTE_EXTENSION: NO_ROUTE, TUNNEL_EXTENSION: OPENED}


def _routes_to(tools: tuple[Tool, ...], scheme: str) -> list[Route]:
    """The routes of an address. `scheme` is what agents call it in."""
    first = tools[0]
    if first.is_opaque:
        return [_unclaimed()]  # plain requests have no business there
    streams = [
        _to_tool(tool, _stream_match(path), RouteAction(), scheme, unread=True)
        for tool in tools
        for path in _streams(tool)
    ]
    if len({tool.route for tool in tools}) == 1:
        action = RouteAction(upgrade_configs=_upgrades(any(tool.websocket for tool in tools)))
        return [*streams, _to_tool(first, RouteMatch(prefix="/"), action, scheme)]
    routes = [
        _to_tool(tool, match, RouteAction(upgrade_configs=_upgrades(tool.websocket)), scheme)
        for tool, match in action_matches(tools)
    ]
    return [*streams, *routes, _answer("unmatched", 403, "No tool at this address has such an action.\n")]


def _reverse_host(catalogue: Catalogue, domains: list[str]) -> VirtualHost:
    routes: list[Route] = []
    for tool in catalogue.reached:
        name = tool.name
        if tool.is_opaque:
            continue
        for path in _streams(tool):
            action = RouteAction(prefix_rewrite=path, host_rewrite_literal=tool.authority)
            routes.append(_to_tool(tool, _stream_match(f"/{name}{path}"), action, "http", name, unread=True))
        for match in (RouteMatch(prefix=f"/{name}/"), RouteMatch(path=f"/{name}")):
            action = RouteAction(
                prefix_rewrite="/",
                host_rewrite_literal=tool.authority,
                upgrade_configs=_upgrades(tool.websocket),
            )
            routes.append(_to_tool(tool, match, action, "http", name))
    routes += [route for name in sorted(catalogue.far) for route in _far(name)]
    unknown = _answer("unknown", 404, "No tool of the catalogue has this prefix.\n", _NO_TOOL)
    return VirtualHost(name="tools", domains=domains, routes=[*routes, unknown])


def _far(name: str) -> list[Route]:
    """What is called on the routes of a tool of another region: its name, so that the call is refused for that."""
    routes = []
    for match in (RouteMatch(prefix=f"/{name}/"), RouteMatch(path=f"/{name}")):
        route = _answer(name, 403, "The tool is in another region.\n", name)
        route.match = match
        routes.append(route)
    return routes


def _streams(tool: Tool) -> list[str]:
    """The paths of methods that are judged before their messages are sent."""
    actions = sorted(tool.actions, key=lambda action: action.name)
    return [f"/{'/'.join(action.template)}" for action in actions if tool.interface.streams(action.name)]


def _stream_match(path: str) -> RouteMatch:
    method = HeaderMatcher(name=":method", string_match=StringMatcher(exact="POST"))
    return RouteMatch(path=path, headers=[method])


def _upgrades(websocket: bool) -> list[RouteActionUpgradeConfig]:
    """What a call may become on a route: nothing, or a WebSocket."""
    return [RouteActionUpgradeConfig(upgrade_type="websocket")] if websocket else []


def _to_tool(
    tool: Tool, match: RouteMatch, action: RouteAction, scheme: str, hint: str = "", unread: bool = False
) -> Route:
    action.cluster = cluster_name(tool)
    action.timeout = _UNTIMED
    metadata = tool_metadata(tool, f"/{hint}" if hint else "", scheme)
    return _marked(Route(name=tool.name, match=match, route=action, metadata=metadata), tool.route, hint, unread)


def _answer(name: str, status: int, text: str, hint: str = "") -> Route:
    response = DirectResponseAction(status=status, body=DataSource(inline_string=text))
    return _marked(Route(name=name, match=RouteMatch(prefix="/"), direct_response=response), NO_ROUTE, hint)


def _marked(route: Route, leads_to: str, hint: str, unread: bool = False) -> Route:
    """The route, which tells the authorizer where it leads, and its tool where the path names it.

    Calls of one that is `unread` are judged by their head: a client that waits for answers does not end its body.
    """
    extensions = {ROUTE_EXTENSION: leads_to} | ({TOOL_EXTENSION: hint} if hint else {})
    extensions |= {UNREAD_EXTENSION: UNREAD} if unread else {}
    settings = CheckSettings(context_extensions=extensions, disable_request_body_buffering=unread)
    route.typed_per_filter_config = {EXT_AUTHZ: packed(ExtAuthzPerRoute(check_settings=settings))}
    return route
