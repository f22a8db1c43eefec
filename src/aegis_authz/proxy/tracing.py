"""Envoy's own spans, of which those of decisions are the children (envoy/config/trace/v3/opentelemetry.proto)."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import GrpcService, GrpcServiceEnvoyGrpc, TypedExtensionConfig
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.extensions.tracers.opentelemetry.samplers.v3 import AlwaysOnSamplerConfig

from aegis_authz.core.address import read_address
from aegis_authz.proxy.clusters import http2_alone, server_cluster
from aegis_authz.proxy.typed import packed

COLLECTOR = "otlp_collector"
"""The name of the cluster."""
_SERVICE = "aegis-envoy"
_SAMPLER = "envoy.tracers.opentelemetry.samplers.always_on"
_EXPORT_TIMEOUT = timedelta(seconds=2)
_NO_PATH = 0
"""Characters of a path that a span shows: paths and queries hold what policy may keep out of spans."""


def tracing(collector: str) -> HttpConnectionManagerTracing | None:
    """How the requests of a listener are traced, None without a collector.

    What a caller names goes on, and is sampled always: callers choose the trace of their calls, not that none is made.
    """
    if not collector:
        return None
    service = GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=COLLECTOR), timeout=_EXPORT_TIMEOUT)
    sampler = TypedExtensionConfig(name=_SAMPLER, typed_config=packed(AlwaysOnSamplerConfig()))
    config = OpenTelemetryConfig(grpc_service=service, service_name=_SERVICE, sampler=sampler)
    return HttpConnectionManagerTracing(
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=packed(config)),
        max_path_tag_length=_NO_PATH,
    )


def collector_cluster(collector: str) -> Cluster:
    """Where spans go, in the clear. Raises ValueError for an address that is none."""
    cluster = server_cluster(COLLECTOR, read_address(collector))
    cluster.typed_extension_protocol_options = http2_alone()
    return cluster
