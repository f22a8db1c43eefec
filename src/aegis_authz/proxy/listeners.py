"""The ways in: an explicit HTTP proxy, and a reverse proxy with a path prefix for each tool; for every agent, or either
for one alone."""

from __future__ import annotations

from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    Http1ProtocolOptions,
    Pipe,
    SocketAddress,
    TrafficDirection,
    TransportSocket,
)
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

from aegis_authz.config.proxy import ProxySettings, WorkloadListener
from aegis_authz.config.values import DOOR
from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.proxy.connection import buffer_limit, connection_manager, manager_filter
from aegis_authz.proxy.door import door_manager
from aegis_authz.proxy.listener_tls import transport_socket
from aegis_authz.proxy.routes import FORWARD, REVERSE, routes_file
from aegis_authz.proxy.tunnels import CARRY, carry_filter
from aegis_authz.proxy.typed import packed, watched_file


def listeners(settings: ProxySettings) -> list[Listener]:
    """The forward and the reverse listener, and those that stand for one agent each."""
    tls = None if settings.tls is None else transport_socket(settings.tls)
    shared = ((FORWARD, settings.forward_port), (REVERSE, settings.reverse_port))
    door = [] if settings.door is None else [_door(settings, settings.door.port, tls)]
    return [
        *(_listener(name, _tcp(settings.bind, port), _manager(name, settings), settings, tls) for name, port in shared),
        *door,
        *(
            _listener(name, _own_address(entry), _manager(name, settings), settings, None)
            for name, entry in sorted(settings.workload.items())
        ),
    ]


def _tcp(host: str, port: int) -> Address:
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def _own_address(entry: WorkloadListener) -> Address:
    place = read_address(entry.listen)
    if isinstance(place, UnixAddress):
        return Address(pipe=Pipe(path=place.path, mode=int(entry.mode, 8)))
    return _tcp(place.host, place.port)


def _door(settings: ProxySettings, port: int, tls: TransportSocket | None) -> Listener:
    return _listener(DOOR, _tcp(settings.bind, port), door_manager(settings), settings, tls)


def _listener(
    name: str,
    address: Address,
    manager: HttpConnectionManager,
    settings: ProxySettings,
    tls: TransportSocket | None,
) -> Listener:
    return Listener(
        name=name,
        address=address,
        traffic_direction=TrafficDirection.OUTBOUND,
        per_connection_buffer_limit_bytes=buffer_limit(settings),
        # a port that is in use must be an error, not shared with whoever has it
        enable_reuse_port=False,
        connection_balance_config=ListenerConnectionBalanceConfig(
            exact_balance=ListenerConnectionBalanceConfigExactBalance()
        ),
        filter_chains=[FilterChain(filters=[manager_filter(manager)], transport_socket=tls)],
    )


def _manager(name: str, settings: ProxySettings) -> HttpConnectionManager:
    manager = connection_manager(name, "http", settings)
    manager.rds = Rds(config_source=watched_file(str(settings.xds), routes_file(name)), route_config_name=name)
    if name == FORWARD and settings.interception is not None:
        manager.upgrade_configs = [HttpConnectionManagerUpgradeConfig(upgrade_type="CONNECT")]
        # some clients write CONNECT in HTTP/1.0: http.client of Python 3.11, and all that is built on it
        manager.http_protocol_options = Http1ProtocolOptions(accept_http_10=True)
        # before ext_authz, which has the credentials taken off; it answers nothing and changes no request
        carry = HttpFilter(name=CARRY, typed_config=packed(carry_filter()), disabled=True)
        manager.http_filters = [carry, *manager.http_filters]
    return manager
