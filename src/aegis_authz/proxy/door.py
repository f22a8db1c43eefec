"""The control door: the few things that agents ask of the control plane, passed on by the Envoy that they reach.

Everything else of the control plane stays out of reach: a path that is not here is answered by Envoy itself. What
passes needs no bearer of the control plane's, so no `Authorization` passes either.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import DataSource, HeaderValueOption, TransportSocket
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CommonTlsContext,
    TlsParameters,
    TlsParametersTlsProtocol,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from aegis_authz.config.proxy import DoorSettings, ProxySettings
from aegis_authz.config.values import DOOR
from aegis_authz.core.address import TcpAddress, UnixAddress, read_address
from aegis_authz.proxy.access_log import access_log
from aegis_authz.proxy.clusters import is_ip, server_cluster, validation_of
from aegis_authz.proxy.connection import connection_manager
from aegis_authz.proxy.typed import overwritten, packed

_CONTROL = "aegis_control"
_ANSWER_TIMEOUT = timedelta(seconds=10)
_EXACT = (
    ("POST", "/v1/token"),
    ("POST", "/v1/enroll"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/v1/authorities"),
)
_STATUS = "/v1/approvals/[A-Za-z0-9_-]+/status"
_UNSENT = ("authorization", "cookie", "proxy-authorization", "x-aegis-token", "x-aegis-proof", "x-aegis-approval")


def door_manager(settings: ProxySettings) -> HttpConnectionManager:
    """How the door reads requests, and what it passes on: no authorizer is asked."""
    manager = connection_manager(DOOR, "http", settings)
    router = packed(Router(suppress_envoy_headers=True))
    manager.http_filters = [HttpFilter(name="envoy.filters.http.router", typed_config=router)]
    manager.local_reply_config = None
    manager.access_log = [access_log(settings.access_log, DOOR)]
    manager.route_config = _routes()
    return manager


def control_cluster(door: DoorSettings) -> Cluster:
    """Where the control plane is. Raises ValueError for an address that is none."""
    place = read_address(door.control)
    cluster = server_cluster(_CONTROL, place)
    if door.authorities is not None:
        cluster.transport_socket = _tls(place, door.authorities)
    return cluster


def _tls(place: TcpAddress | UnixAddress, authorities: Path) -> TransportSocket:
    """TLS as the control plane speaks it, 1.3 and nothing else."""
    host = place.host if isinstance(place, TcpAddress) else place.path
    version = TlsParametersTlsProtocol.TLSv1_3
    context = UpstreamTlsContext(
        sni="" if is_ip(host) else host,
        common_tls_context=CommonTlsContext(
            tls_params=TlsParameters(tls_minimum_protocol_version=version, tls_maximum_protocol_version=version),
            alpn_protocols=["http/1.1"],
            validation_context=validation_of(host, authorities),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def _routes() -> RouteConfiguration:
    routes = [_passed(method, RouteMatch(path=path)) for method, path in _EXACT]
    routes.append(_passed("GET", RouteMatch(safe_regex=RegexMatcher(regex=_STATUS))))
    closed = DirectResponseAction(status=404, body=DataSource(inline_string="The door is not for this.\n"))
    routes.append(Route(name="closed", match=RouteMatch(prefix="/"), direct_response=closed))
    return RouteConfiguration(
        name=DOOR,
        virtual_hosts=[VirtualHost(name=DOOR, domains=["*"], routes=routes)],
        request_headers_to_remove=list(_UNSENT),
        request_headers_to_add=[_source()],
    )


def _passed(method: str, match: RouteMatch) -> Route:
    match.headers = [HeaderMatcher(name=":method", string_match=StringMatcher(exact=method))]
    return Route(name="control", match=match, route=RouteAction(cluster=_CONTROL, timeout=_ANSWER_TIMEOUT))


def _source() -> HeaderValueOption:
    """Who asks: the control plane holds each source to a rate, and the door is none."""
    return overwritten("x-forwarded-for", "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%")
