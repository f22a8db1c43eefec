"""The two ways in: an explicit HTTP proxy, and a reverse proxy with a path prefix for each tool."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import Address, Http1ProtocolOptions, SocketAddress, TrafficDirection
from envoy_data_plane.envoy.config.listener.v3 import (
    FilterChain,
    Listener,
    ListenerConnectionBalanceConfig,
    ListenerConnectionBalanceConfigExactBalance,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
    Rds,
)

from aegis_authz.config import ProxySettings
from aegis_authz.proxy.connection import buffer_limit, connection_manager, manager_filter
from aegis_authz.proxy.listener_tls import transport_socket
from aegis_authz.proxy.routes import FORWARD, REVERSE
from aegis_authz.proxy.tunnels import CARRY, carry_filter
from aegis_authz.proxy.typed import packed, watched_file

ROUTES_FILES = {"forward": "rds-forward.yaml", "reverse": "rds-reverse.yaml"}
"""A file for each route configuration: Envoy refuses a file with two."""


def listeners(settings: ProxySettings) -> list[Listener]:
    """The forward and the reverse listener."""
    return [_listener(FORWARD, settings.forward_port, settings), _listener(REVERSE, settings.reverse_port, settings)]


def _listener(name: str, port: int, settings: ProxySettings) -> Listener:
    return Listener(
        name=name,
        address=Address(socket_address=SocketAddress(address=settings.bind, port_value=port)),
        traffic_direction=TrafficDirection.OUTBOUND,
        per_connection_buffer_limit_bytes=buffer_limit(settings),
        # a port that is in use must be an error, not shared with whoever has it
        enable_reuse_port=False,
        connection_balance_config=ListenerConnectionBalanceConfig(
            exact_balance=ListenerConnectionBalanceConfigExactBalance()
        ),
        filter_chains=[
            FilterChain(
                filters=[manager_filter(_manager(name, settings))],
                transport_socket=None if settings.tls is None else transport_socket(settings.tls),
            )
        ],
    )


def _manager(name: str, settings: ProxySettings) -> HttpConnectionManager:
    manager = connection_manager(name, "http", settings)
    manager.rds = Rds(config_source=watched_file(str(settings.xds), ROUTES_FILES[name]), route_config_name=name)
    if name == FORWARD and settings.interception is not None:
        manager.upgrade_configs = [HttpConnectionManagerUpgradeConfig(upgrade_type="CONNECT")]
        # some clients write CONNECT in HTTP/1.0: http.client of Python 3.11, and all that is built on it
        manager.http_protocol_options = Http1ProtocolOptions(accept_http_10=True)
        # before ext_authz, which has the credentials taken off; it answers nothing and changes no request
        carry = HttpFilter(name=CARRY, typed_config=packed(carry_filter()), disabled=True)
        manager.http_filters = [carry, *manager.http_filters]
    return manager
