"""Where Envoy connects to: the authorizers, and one cluster for each tool.

Tools are the hosts that an operator wrote into the catalogue, never hosts that a client names, so their
addresses need no filter. A dynamic forward proxy would have to refuse private, link-local and metadata addresses.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
)
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    DataSource,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    SocketAddress,
    TransportSocket,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    UpstreamTlsContext,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from aegis_authz.config import ProxySettings
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.proxy.typed import packed

HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_MOST_AT_ONCE = 10_000
_CONNECT_TIMEOUT = timedelta(seconds=5)


def clusters(settings: ProxySettings, catalogue: Catalogue) -> list[Cluster]:
    """One cluster for each tool, in order of name."""
    return [_tool_cluster(catalogue.by_name[name], settings) for name in sorted(catalogue.by_name)]


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
    return Cluster(
        name=name,
        type=ClusterDiscoveryType.STATIC if literal else ClusterDiscoveryType.STRICT_DNS,
        dns_lookup_family=ClusterDnsLookupFamily.AUTO if literal else ClusterDnsLookupFamily.V4_PREFERRED,
        # a tool whose name does not resolve must not hold up all the others
        wait_for_warm_on_init=None if literal else False,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=members(name, [Address(socket_address=SocketAddress(address=host, port_value=port))]),
        circuit_breakers=roomy(),
        typed_extension_protocol_options={
            HTTP_OPTIONS: packed(HttpProtocolOptions(explicit_http_config=_spoken(tool)))
        },
        transport_socket=_tls(tool, literal, str(settings.ca_file)) if scheme == "https" else None,
    )


def _spoken(tool: Tool) -> HttpProtocolOptionsExplicitHttpConfig:
    """What a tool is called in: HTTP/1.1, by which no request trailers pass that nobody judged; HTTP/2 for gRPC."""
    if tool.has_messages:
        return HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    return HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())


def _tls(tool: Tool, literal: bool, ca_file: str) -> TransportSocket:
    """TLS to a host whose certificate must chain to `ca_file` and name the host itself."""
    host = tool.place.host
    san = SubjectAltNameMatcherSanType.IP_ADDRESS if literal else SubjectAltNameMatcherSanType.DNS
    context = UpstreamTlsContext(
        sni="" if literal else host,
        common_tls_context=CommonTlsContext(
            alpn_protocols=["h2" if tool.has_messages else "http/1.1"],
            validation_context=CertificateValidationContext(
                trusted_ca=DataSource(filename=ca_file),
                match_typed_subject_alt_names=[SubjectAltNameMatcher(san_type=san, matcher=StringMatcher(exact=host))],
            ),
        ),
    )
    return TransportSocket(name="envoy.transport_sockets.tls", typed_config=packed(context))
