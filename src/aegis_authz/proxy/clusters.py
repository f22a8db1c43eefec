"""Where Envoy connects to: the authorizers, and one cluster for each tool.

Tools are the hosts that an operator wrote into the catalogue, never hosts that a client names. Whoever answers for such
a name says where it leads: that is looked at before Envoy connects (proxy/tool_addresses.py).
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
)
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    DataSource,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    SocketAddress,
    TransportSocket,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation, Mutations
from envoy_data_plane.envoy.extensions.filters.http.upstream_codec.v3 import UpstreamCodec
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsCertificate,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher
from envoy_data_plane.google.protobuf import Any as PackedMessage

from aegis_authz.config.proxy import ProxySettings, ToolConnection
from aegis_authz.core.address import TcpAddress, UnixAddress
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.proxy.tool_addresses import address_filter
from aegis_authz.proxy.typed import address_of, packed

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MOST_AT_ONCE = 10_000
_CONNECT_TIMEOUT = timedelta(seconds=5)
_SERVER_CONNECT_TIMEOUT = timedelta(seconds=1)


def clusters(settings: ProxySettings, catalogue: Catalogue) -> list[Cluster]:
    """One cluster for each tool, in order of name."""
    return [_tool_cluster(tool, settings) for tool in catalogue.reached]


def cluster_name(tool: Tool) -> str:
    """The name of a tool's cluster.

    It changes with the tool's place, so that a route of an older configuration can never lead to a newer place.
    """
    return f"tool:{tool.name}:{tool.route}"


def roomy() -> CircuitBreakers:
    """Limits beyond the defaults: a stream of events holds its request for as long as it lasts."""
    return CircuitBreakers(
        thresholds=[
            CircuitBreakersThresholds(
                max_connections=_MOST_AT_ONCE, max_pending_requests=_MOST_AT_ONCE, max_requests=_MOST_AT_ONCE
            )
        ]
    )


def members(name: str, addresses: list[Address]) -> ClusterLoadAssignment:
    """The endpoints of a cluster, all in one locality."""
    endpoints = [LbEndpoint(endpoint=Endpoint(address=address)) for address in addresses]
    return ClusterLoadAssignment(cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=endpoints)])


def is_ip(host: str) -> bool:
    """Whether a host is an address already and needs no resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _tool_cluster(tool: Tool, settings: ProxySettings) -> Cluster:
    scheme, host, port = tool.place
    name = cluster_name(tool)
    literal = is_ip(host)
    connection = settings.tools.get(tool.name, ToolConnection())
    is_http2 = connection.http2 or tool.has_messages  # gRPC is spoken in HTTP/2 alone
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC if literal else ClusterDiscoveryType.STRICT_DNS,
        dns_lookup_family=ClusterDnsLookupFamily.AUTO if literal else ClusterDnsLookupFamily.V4_PREFERRED,
        # a tool whose name does not resolve must not hold up all the others
        wait_for_warm_on_init=None if literal else False,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=members(name, [Address(socket_address=SocketAddress(address=host, port_value=port))]),
        circuit_breakers=roomy(),
        typed_extension_protocol_options={HTTP_OPTIONS: packed(_protocol(is_http2, _address_filters(tool)))},
        transport_socket=_tls(host, connection, is_http2, settings.ca_file) if scheme == "https" else None,
    )


def _address_filters(tool: Tool) -> list[HttpFilter]:
    """What looks at the address that a tool's name led to. An address that the catalogue names needs no look, and of a
    tool that is passed through no filter of HTTP sees anything.
    """
    if tool.is_opaque or is_ip(tool.place.host):
        return []
    return [address_filter(is_own_place=bool(tool.upstream))]


def http2_alone() -> dict[str, PackedMessage]:
    """The extension options of a cluster whose servers speak HTTP/2 and nothing else."""
    explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    return {HTTP_OPTIONS: packed(HttpProtocolOptions(explicit_http_config=explicit))}


def server_cluster(name: str, place: TcpAddress | UnixAddress) -> Cluster:
    """The cluster of one server that no call of an agent waits for: Envoy starts without it as well."""
    has_name = isinstance(place, TcpAddress) and not is_ip(place.host)
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STRICT_DNS if has_name else ClusterDiscoveryType.STATIC,
        wait_for_warm_on_init=False if has_name else None,
        connect_timeout=_SERVER_CONNECT_TIMEOUT,
        load_assignment=members(name, [address_of(place)]),
        circuit_breakers=roomy(),
    )


def _protocol(is_http2: bool, filters: list[HttpFilter]) -> HttpProtocolOptions:
    if not is_http2:
        # HTTP/1.1 upstream: no request trailers, which nobody judged, can pass
        explicit = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())
        chain = [*filters, _codec()] if filters else []
        return HttpProtocolOptions(explicit_http_config=explicit, http_filters=chain)
    explicit = HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    return HttpProtocolOptions(explicit_http_config=explicit, http_filters=[*filters, _no_trailers(), _codec()])


def _no_trailers() -> HttpFilter:
    every = StringMatcher(safe_regex=RegexMatcher(regex=".*"))
    removal = Mutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=every))
    mutation = HeaderMutation(mutations=Mutations(request_trailers_mutations=[removal]))
    return HttpFilter(name="envoy.filters.http.header_mutation", typed_config=packed(mutation))


def _codec() -> HttpFilter:
    return HttpFilter(name="envoy.filters.http.upstream_codec", typed_config=packed(UpstreamCodec()))


def _tls(host: str, connection: ToolConnection, is_http2: bool, ca_file: Path) -> TransportSocket:
    """TLS to a host whose certificate must chain to the authorities and name the host itself, or what `sni` says."""
    name = connection.sni or host
    own = [] if connection.client_certificate is None else [_own_certificate(connection)]
    context = UpstreamTlsContext(
        sni="" if is_ip(name) else name,
        common_tls_context=CommonTlsContext(
            alpn_protocols=["h2" if is_http2 else "http/1.1"],
            tls_certificates=own,
            validation_context=validation_of(name, connection.ca or ca_file),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))


def validation_of(name: str, authorities: Path) -> CertificateValidationContext:
    """What a server must show: a certificate of these authorities that has this name, or this address."""
    san = SubjectAltNameMatcherSanType.IP_ADDRESS if is_ip(name) else SubjectAltNameMatcherSanType.DNS
    return CertificateValidationContext(
        trusted_ca=DataSource(filename=str(authorities)),
        match_typed_subject_alt_names=[SubjectAltNameMatcher(san_type=san, matcher=StringMatcher(exact=name))],
    )


def _own_certificate(connection: ToolConnection) -> TlsCertificate:
    return TlsCertificate(
        certificate_chain=DataSource(filename=str(connection.client_certificate)),
        private_key=DataSource(filename=str(connection.client_certificate)),
    )
