"""Envoy's own spans, of which those of decisions are the children (envoy/config/trace/v3/opentelemetry.proto)."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import GrpcService, GrpcServiceEnvoyGrpc, Http2ProtocolOptions
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)

from aegis_authz.core.address import TcpAddress, read_address
from aegis_authz.proxy.clusters import HTTP_OPTIONS, is_ip, members
from aegis_authz.proxy.typed import address_of, packed

COLLECTOR = "otlp_collector"
"""The name of the cluster."""
_SERVICE = "aegis-envoy"
_CONNECT_TIMEOUT = timedelta(seconds=1)
_EXPORT_TIMEOUT = timedelta(seconds=2)
_NO_PATH = 0
"""Characters of a path that a span shows: paths and queries hold what policy may keep out of spans."""


def tracing(collector: str) -> HttpConnectionManagerTracing | None:
    """How the requests of a listener are traced, None without a collector.

    What a caller names goes on; whether it was sampled there is not heeded by the spans of decisions.
    """
    if not collector:
        return None
    service = GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=COLLECTOR), timeout=_EXPORT_TIMEOUT)
    config = OpenTelemetryConfig(grpc_service=service, service_name=_SERVICE)
    return HttpConnectionManagerTracing(
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=packed(config)),
        max_path_tag_length=_NO_PATH,
    )


def collector_cluster(collector: str) -> Cluster:
    """Where spans go, in the clear. Raises ValueError for an address that is none."""
    place = read_address(collector)
    has_name = isinstance(place, TcpAddress) and not is_ip(place.host)
    options = HttpProtocolOptions(
        explicit_http_config=HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=Http2ProtocolOptions())
    )
    return Cluster(
        name=COLLECTOR,
        type=ClusterDiscoveryType.STRICT_DNS if has_name else ClusterDiscoveryType.STATIC,
        # a collector that is away must not hold up the calls of agents
        wait_for_warm_on_init=False if has_name else None,
        connect_timeout=_CONNECT_TIMEOUT,
        load_assignment=members(COLLECTOR, [address_of(place)]),
        typed_extension_protocol_options={HTTP_OPTIONS: packed(options)},
    )
