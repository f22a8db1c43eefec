"""The cluster of authorizers: gRPC, watched closely, and never used when none is healthy."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    Cluster,
    ClusterCommonLbConfig,
    ClusterDiscoveryType,
    ClusterLbPolicy,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import (
    BackoffStrategy,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    HealthCheck,
    HealthCheckGrpcHealthCheck,
    RetryPolicy,
    RetryPolicyRetryHostPredicate,
)
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.v3 import Percent

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.core.address import TcpAddress, UnixAddress, read_address
from aegis_authz.core.units import Seconds
from aegis_authz.proxy.clusters import http2_alone, is_ip, members, roomy
from aegis_authz.proxy.typed import address_of, milliseconds, packed
from aegis_authz.wire.envoy.ext_authz import SERVICE

AUTHORIZERS = "aegis_authz"
"""The name of the cluster."""

NO_HOLD = Seconds(0.0)

# a worker reads of the headers what its method, its time and its span are; what Envoy adds costs both to write and read
_GRPC = GrpcServiceEnvoyGrpc(cluster_name=AUTHORIZERS, skip_envoy_headers=True)
_CONNECT_TIMEOUT = milliseconds(100)
_AT_ONCE = milliseconds(1)
_PICKS = 20
_NO_LIMIT = timedelta(days=1)
_WATCH = timedelta(seconds=1)
_WATCH_WHEN_RED = milliseconds(250)


def authorizers(settings: ProxySettings) -> Cluster:
    """The cluster of all workers. Raises ValueError for an address that is none, or for sockets beside host names."""
    places = [read_address(text) for text in settings.authz]
    has_names = any(isinstance(place, TcpAddress) and not is_ip(place.host) for place in places)
    if not places or (has_names and any(isinstance(place, UnixAddress) for place in places)):
        raise ValueError("authz needs addresses, and host names cannot stand beside unix sockets")
    return Cluster(
        name=AUTHORIZERS,
        type=ClusterDiscoveryType.STRICT_DNS if has_names else ClusterDiscoveryType.STATIC,
        connect_timeout=_CONNECT_TIMEOUT,
        lb_policy=ClusterLbPolicy.LEAST_REQUEST,
        # with no worker healthy, nobody is asked at all, and that is a denial at once
        common_lb_config=ClusterCommonLbConfig(
            healthy_panic_threshold=Percent(value=0),
            # a second change of health must not wait for the first to be a second old
            update_merge_window=timedelta(0),
        ),
        load_assignment=members(AUTHORIZERS, [address_of(place) for place in places]),
        health_checks=[_health_check()],
        outlier_detection=_outliers(),
        circuit_breakers=roomy(),
        typed_extension_protocol_options=http2_alone(),
    )


def check_service(settings: ProxySettings, hold: Seconds = NO_HOLD) -> GrpcService:
    """How ext_authz calls a worker, which keeps requests open for at most `hold` between two decisions.

    A check that could not be sent at all is sent to another worker once. Nothing else is ever repeated: a
    check that arrived has spent its token.
    """
    decisions = 2 if hold > 0 else 1
    timeout = milliseconds(decisions * settings.check_timeout_ms + round(hold * 1000))
    return GrpcService(envoy_grpc=_GRPC, timeout=timeout, retry_policy=_another_once(timeout))


def body_service() -> GrpcService:
    """How ext_proc calls a worker: a stream that may last as long as its response.

    One that could not be opened at all is opened at another worker once; nothing has been said on it.
    """
    return GrpcService(envoy_grpc=_GRPC, retry_policy=_another_once(_NO_LIMIT))


def log_service() -> GrpcService:
    """How the access log calls a worker: a stream that lasts as long as both do. It waits for nobody."""
    return GrpcService(envoy_grpc=_GRPC)


def _another_once(longest: timedelta) -> RetryPolicy:
    predicate = RetryPolicyRetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=packed(PreviousHostsPredicate())
    )
    return RetryPolicy(
        retry_on="connect-failure,refused-stream",
        # Envoy takes max_interval for the limit of each try, too
        retry_back_off=BackoffStrategy(base_interval=_AT_ONCE, max_interval=longest),
        num_retries=1,
        retry_host_predicate=[predicate],
        # each pick is by chance, and of two workers half of all picks are the dead one
        host_selection_retry_max_attempts=_PICKS,
    )


def _health_check() -> HealthCheck:
    return HealthCheck(
        timeout=_WATCH,
        interval=_WATCH,
        no_traffic_interval=_WATCH,
        unhealthy_interval=_WATCH_WHEN_RED,
        unhealthy_threshold=1,
        healthy_threshold=1,
        grpc_health_check=HealthCheckGrpcHealthCheck(service_name=SERVICE),
    )


def _outliers() -> OutlierDetection:
    """A worker that cannot be reached is left out for a second, before the next health check says so."""
    return OutlierDetection(
        split_external_local_origin_errors=True,
        consecutive_local_origin_failure=2,
        interval=_WATCH,
        base_ejection_time=_WATCH,
        max_ejection_time=_WATCH,
        max_ejection_percent=50,
    )
