"""Listeners to which rules of a packet filter lead all that an agent sends, wherever it was addressed to.

A call goes where its name says, to a cluster of the catalogue, never to the address that the client dialled: a name
that was judged could else be sent to any address. In the clear the name is the Host; in TLS it is that of the
handshake, and each host has its chain, as inside a tunnel. What names no host of the catalogue is closed.

Source: envoy/extensions/filters/listener/{original_dst,tls_inspector,http_inspector}/v3 and
envoy/extensions/filters/udp/dns_filter/v3.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    Http1ProtocolOptions,
    SocketAddress,
    SocketAddressProtocol,
    TrafficDirection,
)
from envoy_data_plane.envoy.config.listener.v3 import (
    AdditionalAddress,
    Filter,
    FilterChain,
    FilterChainMatch,
    Listener,
    ListenerConnectionBalanceConfig,
    ListenerConnectionBalanceConfigExactBalance,
    ListenerFilter,
)
from envoy_data_plane.envoy.config.rbac.v3 import Permission, Policy, Principal, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as Rules
from envoy_data_plane.envoy.data.dns.v3 import (
    DnsTable,
    DnsTableAddressList,
    DnsTableDnsEndpoint,
    DnsTableDnsVirtualDomain,
)
from envoy_data_plane.envoy.extensions.filters.listener.http_inspector.v3 import HttpInspector
from envoy_data_plane.envoy.extensions.filters.listener.original_dst.v3 import OriginalDst
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector.v3 import TlsInspector
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import Rds
from envoy_data_plane.envoy.extensions.filters.network.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.udp.dns_filter.v3 import (
    DnsFilterConfig,
    DnsFilterConfigServerContextConfig,
)

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.intercept.names import is_host_name
from aegis_authz.intercept.opened import OpenedHost, opened_hosts
from aegis_authz.proxy.access_log import connection_log
from aegis_authz.proxy.connection import buffer_limit, connection_manager, manager_filter, routed_filter
from aegis_authz.proxy.handshakes import certificate_of
from aegis_authz.proxy.interception import internal_cluster
from aegis_authz.proxy.opaque import opaque_chain, opaque_listener, opaque_name
from aegis_authz.proxy.routes import redirected_routes, routes_file
from aegis_authz.proxy.typed import packed, watched_file

NAMES = "dns:names"
"""The listener that answers names."""

ANSWERS = ("192.0.2.1", "2001:db8::1")
"""What every name of the catalogue is answered with, of the ranges that lead nowhere (RFC 5737, RFC 3849): the address
that a client dials decides nothing, and where a tool really is need not be known."""

_LOOPBACK = ("127.0.0.1", "::1")
_FIRST_BYTES = timedelta(seconds=5)  # a client that waits to be spoken to first speaks no protocol of ours
_HANDSHAKE = timedelta(seconds=5)
_ANSWER_LIFE = timedelta(seconds=60)
_PLAIN = ("http/1.0", "http/1.1", "h2c")


def transparent_listeners(settings: ProxySettings, catalogue: Catalogue) -> list[Listener]:
    """The listeners, in order of name, and the one for names; none unless they are set up."""
    transparent = settings.transparent
    if transparent is None:
        return []
    ports = sorted(transparent.listeners.items())
    hosts = opened_hosts(catalogue)
    opaque = [host for host in hosts if host.is_opaque]
    opened = [] if settings.interception is None else [host for host in hosts if not host.is_opaque]
    return [
        *(_listener(name, port, opened, opaque, settings, catalogue) for name, port in ports),
        *(opaque_listener(name, opaque, settings) for name, _ in ports if opaque),
        _names_listener(transparent.dns_port, catalogue),
    ]


def transparent_clusters(settings: ProxySettings, catalogue: Catalogue) -> list[Cluster]:
    """The ways from a connection that is passed through to where it is judged."""
    if settings.transparent is None or not any(host.is_opaque for host in opened_hosts(catalogue)):
        return []
    return [internal_cluster(opaque_name(name)) for name in sorted(settings.transparent.listeners)]


def _listener(
    name: str,
    port: int,
    opened: Sequence[OpenedHost],
    opaque: Sequence[OpenedHost],
    settings: ProxySettings,
    catalogue: Catalogue,
) -> Listener:
    dialled = _never_dialled(port)
    chains = [
        *_opened_chains(name, dialled, opened, settings, catalogue),
        *(opaque_chain(name, host, dialled) for host in opaque),
    ]
    listener = _on_loopback(name, port, SocketAddressProtocol.TCP)
    listener.traffic_direction = TrafficDirection.OUTBOUND
    listener.per_connection_buffer_limit_bytes = buffer_limit(settings)
    listener.enable_reuse_port = False
    listener.connection_balance_config = ListenerConnectionBalanceConfig(
        exact_balance=ListenerConnectionBalanceConfigExactBalance()
    )
    listener.listener_filters = [
        # tells where the client wanted to go: for the record, and by which chain
        _inspector("original_dst", OriginalDst()),
        _inspector("tls_inspector", TlsInspector()),
        _inspector("http_inspector", HttpInspector()),
    ]
    listener.listener_filters_timeout = _FIRST_BYTES
    listener.filter_chains = [*_plain_chains(name, dialled, [*opened, *opaque], settings), *chains]
    listener.access_log = [connection_log(settings.access_log, name)]
    return listener


def _inspector(name: str, message: Message) -> ListenerFilter:
    return ListenerFilter(name=f"envoy.filters.listener.{name}", typed_config=packed(message))


def _plain_chains(
    name: str, dialled: Filter, hosts: Sequence[OpenedHost], settings: ProxySettings
) -> list[FilterChain]:
    """HTTP in the clear, at whatever port: Envoy looks at the port first, and where a chain names it at no others."""
    manager = connection_manager(name, "http", settings)
    manager.http_protocol_options = Http1ProtocolOptions(accept_http_10=True)  # as the proxy's listener does
    manager.rds = Rds(config_source=watched_file(str(settings.xds), routes_file(name)), route_config_name=name)
    filters = [dialled, manager_filter(manager)]
    return [
        FilterChain(
            name=f"http:{number or 'any'}",
            filter_chain_match=FilterChainMatch(
                destination_port=number, transport_protocol="raw_buffer", application_protocols=list(_PLAIN)
            ),
            filters=filters,
        )
        for number in (None, *sorted({host.port for host in hosts}))
    ]


def _opened_chains(
    name: str, dialled: Filter, opened: Sequence[OpenedHost], settings: ProxySettings, catalogue: Catalogue
) -> list[FilterChain]:
    manager = connection_manager(name, "https", settings)
    return [
        FilterChain(
            name=host.target,
            filter_chain_match=FilterChainMatch(
                destination_port=host.port, transport_protocol="tls", server_names=[host.host]
            ),
            transport_socket=certificate_of(host.host),
            transport_socket_connect_timeout=_HANDSHAKE,
            filters=[dialled, routed_filter(manager, redirected_routes(name, host, settings, catalogue))],
        )
        for host in opened
    ]


def _never_dialled(port: int) -> Filter:
    """Closes what was addressed to the listener itself: no rule led it here, and whose it is nobody knows."""
    policy = Policy(permissions=[Permission(destination_port=port)], principals=[Principal(any=True)])
    rules = Rules(action=RbacAction.DENY, policies={"dialled": policy})
    return Filter(name="envoy.filters.network.rbac", typed_config=packed(Rbac(rules=rules, stat_prefix="led.")))


def _names_listener(port: int, catalogue: Catalogue) -> Listener:
    hosts = sorted({host for host, _ in catalogue.by_address if is_host_name(host)})
    endpoint = DnsTableDnsEndpoint(address_list=DnsTableAddressList(address=list(ANSWERS)))
    table = DnsTable(
        virtual_domains=[
            DnsTableDnsVirtualDomain(name=host, endpoint=endpoint, answer_ttl=_ANSWER_LIFE) for host in hosts
        ]
    )
    answering = DnsFilterConfig(
        stat_prefix="names", server_config=DnsFilterConfigServerContextConfig(inline_dns_table=table)
    )
    listener = _on_loopback(NAMES, port, SocketAddressProtocol.UDP)
    listener.listener_filters = [
        ListenerFilter(name="envoy.filters.udp.dns_filter", typed_config=packed(answering)),
    ]
    return listener


def _on_loopback(name: str, port: int, protocol: SocketAddressProtocol) -> Listener:
    first, *others = (
        Address(socket_address=SocketAddress(address=host, port_value=port, protocol=protocol)) for host in _LOOPBACK
    )
    return Listener(
        name=name,
        address=first,
        additional_addresses=[AdditionalAddress(address=other) for other in others],
        freebind=True,  # where there is no IPv6, its address of loopback is not there either
    )
