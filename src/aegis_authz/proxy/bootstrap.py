"""What Envoy starts from: who it is, its listeners, the authorizers, and where the rest is kept."""

from __future__ import annotations

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapDynamicResources,
    BootstrapStaticResources,
    Watchdog,
    Watchdogs,
)
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import Address, Node, Pipe
from envoy_data_plane.envoy.config.overload.v3 import (
    BufferFactoryConfig,
    OverloadAction,
    OverloadManager,
    ResourceMonitor,
    ScaledTrigger,
    ScaleTimersOverloadActionConfig,
    ScaleTimersOverloadActionConfigScaleTimer,
    ScaleTimersOverloadActionConfigTimerType,
    ThresholdTrigger,
    Trigger,
)
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections.v3 import DownstreamConnectionsConfig
from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap.v3 import FixedHeapConfig
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Any

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.proxy.authorizers import authorizers
from aegis_authz.proxy.door import control_cluster
from aegis_authz.proxy.handshakes import certificates_cluster
from aegis_authz.proxy.interception import bootstrap_extension
from aegis_authz.proxy.listeners import listeners
from aegis_authz.proxy.tracing import collector_cluster
from aegis_authz.proxy.typed import packed, watched_file

CLUSTERS_FILE = "cds.yaml"
LISTENERS_FILE = "lds.pb"
"""What ends HTTPS, and what is led here; the listeners that agents dial stand in the bootstrap. Not in YAML: a host's
chain takes a quarter of a second to write in YAML and less than a millisecond in protobuf's own form.
"""

_MOST_CONNECTIONS = 10_000
_MOST_HEAP = 1024 * 1024 * 1024
_LEAST_TRACKED = 16  # streams that buffer 64 KiB or more
_LEAST_IDLE = timedelta(seconds=2)
_HEAP = "envoy.resource_monitors.fixed_heap"
_CONNECTIONS = "envoy.resource_monitors.global_downstream_max_connections"

_ADMIN_READS = ("/ready", "/server_info", "/listeners", "/clusters", "/certs", "/config_dump", "/stats")


def bootstrap(settings: ProxySettings) -> Bootstrap:
    """The static configuration. Raises ValueError for addresses of authorizers that cannot be used."""
    return Bootstrap(
        node=Node(id="aegis-proxy", cluster="aegis"),
        admin=_admin(settings.admin_socket),
        static_resources=BootstrapStaticResources(listeners=listeners(settings), clusters=_services(settings)),
        dynamic_resources=_watched(settings),
        bootstrap_extensions=[bootstrap_extension()] if has_watched_listeners(settings) else [],
        overload_manager=_overload(),
        watchdogs=_watchdogs(),
    )


def has_watched_listeners(settings: ProxySettings) -> bool:
    """Whether there are listeners that follow the catalogue."""
    return settings.interception is not None or settings.transparent is not None


def _services(settings: ProxySettings) -> list[Cluster]:
    certificates = [] if settings.interception is None else [certificates_cluster(settings.interception)]
    control = [] if settings.door is None else [control_cluster(settings.door)]
    collector = [collector_cluster(settings.collector)] if settings.collector else []
    return [authorizers(settings), *certificates, *control, *collector]


def _watched(settings: ProxySettings) -> BootstrapDynamicResources:
    xds = str(settings.xds)
    listeners_file = watched_file(xds, LISTENERS_FILE) if has_watched_listeners(settings) else None
    return BootstrapDynamicResources(cds_config=watched_file(xds, CLUSTERS_FILE), lds_config=listeners_file)


def _admin(socket: str) -> Admin:
    # the admin interface asks nobody for a password: owner only, and for looking only
    return Admin(
        address=Address(pipe=Pipe(path=socket, mode=0o600)),
        ignore_global_conn_limit=True,
        allow_paths=[StringMatcher(prefix=path) for path in _ADMIN_READS],
    )


def _watchdogs() -> Watchdogs:
    """Feed the counters of stalled threads in seconds: by default every thread wakes ten times a second for them."""
    watchdog = Watchdog(miss_timeout=timedelta(seconds=2), megamiss_timeout=timedelta(seconds=5))
    return Watchdogs(main_thread_watchdog=watchdog, worker_watchdog=watchdog)


def _overload() -> OverloadManager:
    """Refuse early rather than fall: connections beyond a limit, and requests when memory runs out.

    Before that, who holds most goes first: connections that idle, and the HTTP/2 streams that take most memory.
    """
    return OverloadManager(
        refresh_interval=timedelta(seconds=1),
        resource_monitors=[
            _monitor(_CONNECTIONS, DownstreamConnectionsConfig(max_active_downstream_connections=_MOST_CONNECTIONS)),
            _monitor(_HEAP, FixedHeapConfig(max_heap_size_bytes=_MOST_HEAP)),
        ],
        buffer_factory_config=BufferFactoryConfig(minimum_account_to_track_power_of_two=_LEAST_TRACKED),
        actions=[
            _between(0.80, 0.90, "envoy.overload_actions.reduce_timeouts", packed(_idle_timeouts())),
            _between(0.85, 0.95, "envoy.overload_actions.reset_high_memory_stream"),
            _at(0.90, "envoy.overload_actions.shrink_heap"),
            _at(0.95, "envoy.overload_actions.stop_accepting_requests"),
        ],
    )


def _monitor(name: str, message: Message) -> ResourceMonitor:
    return ResourceMonitor(name=name, typed_config=packed(message))


def _at(fraction: float, action: str) -> OverloadAction:
    return OverloadAction(name=action, triggers=[Trigger(name=_HEAP, threshold=ThresholdTrigger(value=fraction))])


def _between(low: float, high: float, name: str, terms: Any | None = None) -> OverloadAction:
    scaled = ScaledTrigger(scaling_threshold=low, saturation_threshold=high)
    return OverloadAction(name=name, triggers=[Trigger(name=_HEAP, scaled=scaled)], typed_config=terms)


def _idle_timeouts() -> ScaleTimersOverloadActionConfig:
    timer = ScaleTimersOverloadActionConfigScaleTimer(
        timer=ScaleTimersOverloadActionConfigTimerType.HTTP_DOWNSTREAM_CONNECTION_IDLE, min_timeout=_LEAST_IDLE
    )
    return ScaleTimersOverloadActionConfig(timer_scale_factors=[timer])
