"""The listeners that end HTTPS: one for each port that `CONNECT` may name, with a chain of filters for each host.

A chain has the certificate of its host, takes tunnels to that very host alone, and serves that host alone: what a
client asked for by `CONNECT`, what its handshake names and what its requests name agree by construction. A last chain,
for names that no tool claims, serves refusals alone: a client reads them, as it reads no refusal of a `CONNECT`.

Source: envoy/extensions/bootstrap/internal_listener/v3 and envoy/config/listener/v3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    EnvoyInternalAddress,
    TransportSocket,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.listener.v3 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    Listener,
    ListenerFilter,
    ListenerInternalListenerConfig,
)
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.extensions.bootstrap.internal_listener.v3 import InternalListener
from envoy_data_plane.envoy.extensions.filters.listener.original_dst.v3 import OriginalDst
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector.v3 import TlsInspector
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.filters.network.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy
from envoy_data_plane.envoy.extensions.transport_sockets.internal_upstream.v3 import InternalUpstreamTransport
from envoy_data_plane.envoy.extensions.transport_sockets.raw_buffer.v3 import RawBuffer
from envoy_data_plane.envoy.type.matcher.v3 import FilterStateMatcher, StringMatcher

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.intercept.opened import HTTPS_PORT, OpenedHost, opened_hosts
from aegis_authz.proxy.clusters import cluster_name, members, roomy
from aegis_authz.proxy.connection import buffer_limit, connection_manager, routed_filter
from aegis_authz.proxy.handshakes import certificate_of, certificate_on_demand
from aegis_authz.proxy.request_hygiene import carried_headers
from aegis_authz.proxy.routes import opened_routes, unclaimed_routes
from aegis_authz.proxy.tunnels import TARGET_STATE, tunnel_cluster
from aegis_authz.proxy.typed import extension, packed

_HANDSHAKE = timedelta(seconds=5)  # a certificate that never comes must not hold its client for ever
_IDLE = timedelta(hours=1)
_LONGEST_CONNECTION = timedelta(seconds=90)
"""A tunnel's credential is that of its CONNECT, and tokens end: who goes on opens another tunnel."""


def bootstrap_extension() -> TypedExtensionConfig:
    """What lets Envoy have listeners that only it connects to."""
    return extension("envoy.bootstrap.internal_listener", InternalListener())


def interception_listeners(settings: ProxySettings, catalogue: Catalogue) -> list[Listener]:
    """The listeners, in order of port; none where nothing is opened."""
    if settings.interception is None:
        return []
    manager = _manager(settings)
    return [_listener(port, hosts, manager, settings, catalogue) for port, hosts in _by_port(catalogue).items()]


def interception_clusters(settings: ProxySettings, catalogue: Catalogue) -> list[Cluster]:
    """The way from a CONNECT to the listener of its port."""
    return (
        [internal_cluster(tunnel_cluster(port)) for port in _by_port(catalogue)]
        if settings.interception is not None
        else []
    )


def _by_port(catalogue: Catalogue) -> Mapping[int, Sequence[OpenedHost]]:
    ports: dict[int, list[OpenedHost]] = {HTTPS_PORT: []}
    for host in opened_hosts(catalogue):
        ports.setdefault(host.port, []).append(host)
    return {port: ports[port] for port in sorted(ports)}


def _listener(
    port: int,
    hosts: Sequence[OpenedHost],
    manager: HttpConnectionManager,
    settings: ProxySettings,
    catalogue: Catalogue,
) -> Listener:
    chains = [
        _passing(host)
        if host.is_opaque
        else _chain(host, routed_filter(manager, opened_routes(host, settings, catalogue)))
        for host in hosts
    ]
    if port == HTTPS_PORT and settings.interception is not None and settings.interception.unclaimed:
        chains.append(_unclaimed_chain(routed_filter(manager, unclaimed_routes())))
    return Listener(
        name=tunnel_cluster(port),
        internal_listener=ListenerInternalListenerConfig(),
        per_connection_buffer_limit_bytes=buffer_limit(settings),
        listener_filters=[
            # gives the client's own address back, which CONNECT left in the filter state
            ListenerFilter(name="envoy.filters.listener.original_dst", typed_config=packed(OriginalDst())),
            ListenerFilter(name="envoy.filters.listener.tls_inspector", typed_config=packed(TlsInspector())),
        ],
        filter_chains=chains,
    )


def _chain(host: OpenedHost, manager: Filter) -> FilterChain:
    return FilterChain(
        name=host.target,
        filter_chain_match=FilterChainMatch(transport_protocol="tls", server_names=[host.host]),
        transport_socket=certificate_of(host.host),
        transport_socket_connect_timeout=_HANDSHAKE,
        filters=[_only_tunnels_to(host.target), manager],
    )


def _passing(host: OpenedHost) -> FilterChain:
    """Passes TLS through to the host that the handshake names, which was judged when the CONNECT was."""
    tool = host.tools[0]
    proxy = TcpProxy(stat_prefix="opaque", cluster=cluster_name(tool), idle_timeout=_IDLE)
    return FilterChain(
        name=host.target,
        filter_chain_match=FilterChainMatch(transport_protocol="tls", server_names=[host.host]),
        filters=[
            _only_tunnels_to(host.target),
            Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(proxy)),
        ],
    )


def _unclaimed_chain(manager: Filter) -> FilterChain:
    return FilterChain(
        name="unclaimed",
        filter_chain_match=FilterChainMatch(transport_protocol="tls"),
        transport_socket=certificate_on_demand(),
        transport_socket_connect_timeout=_HANDSHAKE,
        filters=[manager],
    )


def _only_tunnels_to(target: str) -> Filter:
    matcher = FilterStateMatcher(key=TARGET_STATE, string_match=StringMatcher(exact=target, ignore_case=True))
    policy = Policy(permissions=[Permission(any=True)], principals=[Principal(filter_state=matcher)])
    rules = Rules(action=RbacAction.ALLOW, policies={"target": policy})
    return Filter(name="envoy.filters.network.rbac", typed_config=packed(Rbac(rules=rules, stat_prefix="intercept.")))


def _manager(settings: ProxySettings) -> HttpConnectionManager:
    """What the managers of all chains have in common."""
    manager = connection_manager("intercept", "https", settings)
    manager.early_header_mutation_extensions = [carried_headers()]
    if manager.common_http_protocol_options is not None:
        manager.common_http_protocol_options.max_connection_duration = _LONGEST_CONNECTION
    return manager


def internal_cluster(name: str) -> Cluster:
    """The way to the internal listener of the same name, which filter state goes along."""
    raw = TransportSocket(name="envoy.transport_sockets.raw_buffer", typed_config=packed(RawBuffer()))
    carrying = InternalUpstreamTransport(transport_socket=raw)
    place = Address(envoy_internal_address=EnvoyInternalAddress(server_listener_name=name))
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC,
        load_assignment=members(name, [place]),
        circuit_breakers=roomy(),
        transport_socket=TransportSocket(
            name="envoy.transport_sockets.internal_upstream", typed_config=packed(carrying)
        ),
    )
