"""The two ways in: an explicit HTTP proxy, and a reverse proxy with a path prefix for each tool."""

from __future__ import annotations

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    SchemeHeaderTransformation,
    SocketAddress,
    TrafficDirection,
)
from envoy_data_plane.envoy.config.listener.v3 import (
    Filter,
    FilterChain,
    Listener,
    ListenerConnectionBalanceConfig,
    ListenerConnectionBalanceConfigExactBalance,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerForwardClientCertDetails,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerServerHeaderTransformation,
    HttpConnectionManagerSetCurrentClientCertDetails,
    Rds,
    RequestIdExtension,
)
from envoy_data_plane.envoy.extensions.request_id.uuid.v3 import UuidRequestIdConfig

from aegis_authz.config import ProxySettings
from aegis_authz.proxy.access_log import access_log
from aegis_authz.proxy.filters import http_filters
from aegis_authz.proxy.listener_tls import transport_socket
from aegis_authz.proxy.local_replies import local_replies
from aegis_authz.proxy.request_hygiene import early_header_mutation
from aegis_authz.proxy.routes import FORWARD, REVERSE
from aegis_authz.proxy.typed import packed, watched_file

ROUTES_FILES = {"forward": "rds-forward.yaml", "reverse": "rds-reverse.yaml"}
"""A file for each route configuration: Envoy refuses a file with two."""

_HEADERS_TIMEOUT = timedelta(seconds=10)
_REQUEST_TIMEOUT = timedelta(seconds=30)  # of a request from its first byte to its last: of no answer
_IDLE_STREAM = timedelta(hours=1)  # events of an MCP server may be rare
_IDLE_CONNECTION = timedelta(minutes=5)  # there is room for 10,000, and holding one must cost something
_HEADERS_KB = 60
_MOST_STREAMS = 50  # calls under way on one HTTP/2 connection, each with a buffered body of at most a MiB
_KIB, _MIB = 1024, 1024 * 1024


def listeners(settings: ProxySettings) -> list[Listener]:
    """The forward and the reverse listener."""
    return [_listener(FORWARD, settings.forward_port, settings), _listener(REVERSE, settings.reverse_port, settings)]


def _listener(name: str, port: int, settings: ProxySettings) -> Listener:
    manager = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=packed(_manager(name, settings))
    )
    return Listener(
        name=name,
        address=Address(socket_address=SocketAddress(address=settings.bind, port_value=port)),
        traffic_direction=TrafficDirection.OUTBOUND,
        # twice the cap on bodies: ext_authz sets the cap, this only must not be lower
        per_connection_buffer_limit_bytes=max(2 * settings.max_body_bytes, _MIB),
        # a port that is in use must be an error, not shared with whoever has it
        enable_reuse_port=False,
        connection_balance_config=ListenerConnectionBalanceConfig(
            exact_balance=ListenerConnectionBalanceConfigExactBalance()
        ),
        filter_chains=[
            FilterChain(
                filters=[manager], transport_socket=None if settings.tls is None else transport_socket(settings.tls)
            )
        ],
    )


def _manager(name: str, settings: ProxySettings) -> HttpConnectionManager:
    # no upgrade_configs: CONNECT and WebSocket would carry what nobody judges
    return HttpConnectionManager(
        stat_prefix=name,
        rds=Rds(config_source=watched_file(str(settings.xds), ROUTES_FILES[name]), route_config_name=name),
        http_filters=http_filters(settings),
        access_log=[access_log(settings.access_log, name)],
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
        # both listeners speak plain HTTP; a client's https:// is no reason to read the authority otherwise
        scheme_header_transformation=SchemeHeaderTransformation(scheme_to_overwrite="http"),
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
