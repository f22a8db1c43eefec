"""One JSON line for each request, whatever became of it; and what became of those let through, told to a worker."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog, AccessLogFilter, MetadataFilter, ResponseFlagFilter
from envoy_data_plane.envoy.config.core.v3 import ApiVersion, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.access_loggers.file.v3 import FileAccessLog
from envoy_data_plane.envoy.extensions.access_loggers.grpc.v3 import CommonGrpcAccessLogConfig, HttpGrpcAccessLogConfig
from envoy_data_plane.envoy.type.matcher.v3 import MetadataMatcher, MetadataMatcherPathSegment, ValueMatcher
from envoy_data_plane.google.protobuf import Struct

from aegis_authz.proxy.authorizers import log_service
from aegis_authz.proxy.typed import packed
from aegis_authz.wire.envoy.ext_authz import PASSED_METADATA
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE

# what a caller chooses is cut: who has no token must not fill the disk
_FIELDS = {
    "time": "%START_TIME%",
    "request_id": "%REQ(X-REQUEST-ID):128%",
    "decision_id": f"%DYNAMIC_METADATA({METADATA_NAMESPACE}:decision_id)%",
    "decision": "%RESP(X-AEGIS-DECISION)%",
    # of a request inside a tunnel: the id of its CONNECT
    "tunnel": "%REQ(X-AEGIS-CONNECT-ID):128%",
    "method": "%REQ(:METHOD):32%",
    "authority": "%REQ(:AUTHORITY):256%",
    # no path and no query: they may hold what must not be kept, and the record of the decision has the path redacted
    "protocol": "%PROTOCOL%",
    "route": "%ROUTE_NAME%",
    "source": "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%",
    "upstream": "%UPSTREAM_HOST%",
    "upstream_cluster": "%UPSTREAM_CLUSTER_RAW%",
    "upstream_failure": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    "status": "%RESPONSE_CODE%",
    # a response cut in the middle keeps its status: these two tell
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
    "header_bytes": "%REQUEST_HEADERS_BYTES%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "duration_ms": "%DURATION%",
    "upstream_ms": "%RESPONSE_DURATION%",
}


def access_log(path: Path, listener: str) -> AccessLog:
    """A JSON access log in the file at `path`."""
    fields = Struct.from_dict({"listener": listener, **_FIELDS})
    log = FileAccessLog(path=str(path), log_format=SubstitutionFormatString(json_format=fields))
    return AccessLog(name="envoy.access_loggers.file", typed_config=packed(log))


def connection_log(path: Path, listener: str) -> AccessLog:
    """The connections that no chain of a listener takes: what their handshake named, from where, and to where."""
    fields = Struct.from_dict({"listener": listener, **_CONNECTION_FIELDS})
    log = FileAccessLog(path=str(path), log_format=SubstitutionFormatString(json_format=fields))
    unclaimed = AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["NR"]))
    return AccessLog(name="envoy.access_loggers.file", filter=unclaimed, typed_config=packed(log))


_CONNECTION_FIELDS = {
    "time": "%START_TIME%",
    "server_name": "%REQUESTED_SERVER_NAME%",
    "source": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "destination": "%DOWNSTREAM_LOCAL_ADDRESS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "flags": "%RESPONSE_FLAGS%",
}
_FLUSH = timedelta(seconds=1)
_BATCH = 16 * 1024  # some 35 entries: a message that a worker takes in a few milliseconds


def outcome_log(listener: str) -> AccessLog:
    """What became of the calls that ext_authz let through, told to a worker in batches.

    What cannot be told, because no worker is there, is lost without a trace: this is no audit log.
    """
    common = CommonGrpcAccessLogConfig(
        log_name=listener,
        grpc_service=log_service(),
        transport_api_version=ApiVersion.V3,
        buffer_flush_interval=_FLUSH,
        buffer_size_bytes=_BATCH,
    )
    passed = MetadataMatcher(
        filter=METADATA_NAMESPACE,
        path=[MetadataMatcherPathSegment(key=PASSED_METADATA)],
        value=ValueMatcher(present_match=True),
    )
    return AccessLog(
        name="envoy.access_loggers.http_grpc",
        filter=AccessLogFilter(metadata_filter=MetadataFilter(matcher=passed, match_if_key_not_found=False)),
        typed_config=packed(HttpGrpcAccessLogConfig(common_config=common)),
    )
