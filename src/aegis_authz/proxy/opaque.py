"""What a transparent listener passes through unread, for tools whose clients pin their certificate.

There is no request yet that could be judged, so one is made: each such connection asks an internal listener for a
CONNECT to the host that its handshake names. That is judged and recorded as any other, and the bytes go on only then.

Source: envoy/extensions/filters/network/{tcp_proxy,set_filter_state}/v3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from envoy_data_plane.envoy.config.listener.v3 import (
    Filter,
    FilterChain,
    FilterChainMatch,
    Listener,
    ListenerFilter,
    ListenerInternalListenerConfig,
)
from envoy_data_plane.envoy.extensions.filters.listener.original_dst.v3 import OriginalDst
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManagerUpgradeConfig,
)
from envoy_data_plane.envoy.extensions.filters.network.set_filter_state.v3 import Config
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy.v3 import TcpProxy, TcpProxyTunnelingConfig

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.intercept.opened import OpenedHost
from aegis_authz.proxy.connection import buffer_limit, connection_manager, manager_filter
from aegis_authz.proxy.routes import redirected_tunnels
from aegis_authz.proxy.tunnels import LOCAL_STATE, REMOTE_STATE, state_value
from aegis_authz.proxy.typed import packed

_IDLE = timedelta(hours=1)


def opaque_name(listener: str) -> str:
    """The internal listener by which the connections of a transparent one are judged."""
    return f"opaque:{listener}"


def opaque_chain(listener: str, host: OpenedHost, first: Filter) -> FilterChain:
    """The chain of a host: asks for a CONNECT to it, and closes the connection where that is refused."""
    proxy = TcpProxy(
        stat_prefix="opaque",
        cluster=opaque_name(listener),
        idle_timeout=_IDLE,
        tunneling_config=TcpProxyTunnelingConfig(hostname=host.target),
    )
    return FilterChain(
        name=host.target,
        filter_chain_match=FilterChainMatch(
            destination_port=host.port, transport_protocol="tls", server_names=[host.host]
        ),
        filters=[first, _addresses(), Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(proxy))],
    )


def opaque_listener(listener: str, hosts: Sequence[OpenedHost], settings: ProxySettings) -> Listener:
    """The internal listener: a CONNECT to one of the hosts goes to its tool, once it was judged."""
    name = opaque_name(listener)
    manager = connection_manager(name, "http", settings)
    manager.upgrade_configs = [HttpConnectionManagerUpgradeConfig(upgrade_type="CONNECT")]
    routes = redirected_tunnels(listener, hosts)
    routes.validate_clusters = False  # those that are not there yet come with the next file
    manager.route_config = routes
    return Listener(
        name=name,
        internal_listener=ListenerInternalListenerConfig(),
        per_connection_buffer_limit_bytes=buffer_limit(settings),
        listener_filters=[
            ListenerFilter(name="envoy.filters.listener.original_dst", typed_config=packed(OriginalDst()))
        ],
        filter_chains=[FilterChain(filters=[manager_filter(manager)])],
    )


def _addresses() -> Filter:
    """Tells the internal listener from where and to where the connection is."""
    states = Config(
        on_new_connection=[
            state_value(REMOTE_STATE, "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%"),
            state_value(LOCAL_STATE, "%DOWNSTREAM_LOCAL_ADDRESS%"),
        ]
    )
    return Filter(name="envoy.filters.network.set_filter_state", typed_config=packed(states))
