"""How a connection of an agent is read as HTTP, whichever listener it came by."""

from __future__ import annotations

from copy import copy
from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    SchemeHeaderTransformation,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerForwardClientCertDetails,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerServerHeaderTransformation,
    HttpConnectionManagerSetCurrentClientCertDetails,
    RequestIdExtension,
)
from envoy_data_plane.envoy.extensions.request_id.uuid.v3 import UuidRequestIdConfig

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.proxy.access_log import access_log, outcome_log
from aegis_authz.proxy.filters import http_filters
from aegis_authz.proxy.local_replies import local_replies
from aegis_authz.proxy.request_hygiene import early_header_mutation
from aegis_authz.proxy.tracing import tracing
from aegis_authz.proxy.typed import packed

_HEADERS_TIMEOUT = timedelta(seconds=10)
_REQUEST_TIMEOUT = timedelta(seconds=30)  # of a request from its first byte to its last: of no answer
_IDLE_STREAM = timedelta(hours=1)  # events of an MCP server may be rare
_IDLE_CONNECTION = timedelta(minutes=5)  # there is room for 10,000, and holding one must cost something
_HEADERS_KB = 60
_MOST_STREAMS = 50  # calls under way on one HTTP/2 connection, each with a buffered body of at most a MiB
_KIB, _MIB = 1024, 1024 * 1024


def buffer_limit(settings: ProxySettings) -> int:
    """Bytes that a connection may buffer: twice the cap on bodies, which ext_authz sets; this must not be lower."""
    return max(2 * settings.max_body_bytes, _MIB)


def manager_filter(manager: HttpConnectionManager) -> Filter:
    """The manager as the filter of a chain."""
    return Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(manager))


def routed_filter(manager: HttpConnectionManager, routes: RouteConfiguration) -> Filter:
    """The manager with these routes, which stand in the listener itself, as the filter of a chain."""
    routes.validate_clusters = False  # those that are not there yet come with the next file
    own = copy(manager)
    own.route_config = routes
    return manager_filter(own)


def connection_manager(name: str, scheme: str, settings: ProxySettings) -> HttpConnectionManager:
    """The manager of a listener, without routes. `scheme` is what its clients' requests are in, whatever they say."""
    # no upgrade_configs: WebSocket would carry what nobody judges
    return HttpConnectionManager(
        stat_prefix=name,
        http_filters=http_filters(settings),
        access_log=[access_log(settings.access_log, name), outcome_log(name)],
        tracing=tracing(settings.collector),
        local_reply_config=local_replies(),
        # the record is to be found by the id that the caller knows; Envoy makes one where there is none
        preserve_external_request_id=True,
        request_id_extension=RequestIdExtension(typed_config=packed(UuidRequestIdConfig(pack_trace_reason=False))),
        early_header_mutation_extensions=[early_header_mutation()],
        # the authorizer and the routes must see one and the same path and authority
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        strip_trailing_host_dot=True,
        # what a client says is no reason to read the authority otherwise
        scheme_header_transformation=SchemeHeaderTransformation(scheme_to_overwrite=scheme),
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=_IDLE_CONNECTION,
            headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=Http2ProtocolOptions(
            max_concurrent_streams=_MOST_STREAMS,
            initial_stream_window_size=64 * _KIB,
            initial_connection_window_size=_MIB,
        ),
        max_request_headers_kb=_HEADERS_KB,
        request_headers_timeout=_HEADERS_TIMEOUT,
        request_timeout=_REQUEST_TIMEOUT,
        stream_idle_timeout=_IDLE_STREAM,
        # the peer is the source; where an agent sits is not told to the tool
        use_remote_address=True,
        skip_xff_append=True,
        # of a client's certificate we say what was verified; what a client says of it was taken off before
        forward_client_cert_details=HttpConnectionManagerForwardClientCertDetails.SANITIZE_SET,
        set_current_client_cert_details=HttpConnectionManagerSetCurrentClientCertDetails(uri=True),
        server_header_transformation=HttpConnectionManagerServerHeaderTransformation.PASS_THROUGH,
    )
