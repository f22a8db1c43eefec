"""What a client reads when Envoy itself refuses a request, before or without an answer of the authorizer."""

from __future__ import annotations

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    MetadataFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import RuntimeUInt32, SubstitutionFormatString
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    LocalReplyConfig,
    ResponseMapper,
)
from envoy_data_plane.envoy.type.matcher.v3 import (
    MetadataMatcher,
    MetadataMatcherPathSegment,
    ValueMatcher,
    ValueMatcherNullMatch,
)
from envoy_data_plane.google.protobuf import Struct

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import REASONS, Reason, Retry
from aegis_authz.proxy.typed import overwritten
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE
from aegis_authz.wire.problem import PROBLEM_TYPE, error_member
from aegis_authz.wire.status_codes import STATUS_CODES

_BY_STATUS = {413: Reason.BODY_TRUNCATED, 503: Reason.INTERNAL_FAULT}


def local_replies() -> LocalReplyConfig:
    """Problem documents (RFC 9457) in the shape of our own, without a decision id: there is no record."""
    by_status = [_mapper(reason, _all_of(_undecided(), _has_status(status))) for status, reason in _BY_STATUS.items()]
    return LocalReplyConfig(mappers=[*by_status, _mapper(Reason.REQUEST_UNREADABLE, _undecided())])


def _mapper(reason: Reason, log_filter: AccessLogFilter) -> ResponseMapper:
    spec = REASONS[reason]
    headers = [overwritten("x-aegis-decision", Effect.DENY.value)]
    if spec.retry is Retry.LATER:
        headers.append(overwritten("retry-after", "1"))
    document = {
        "type": "about:blank",
        "title": spec.text,
        "status": "%RESPONSE_CODE%",
        "detail": "%RESPONSE_CODE_DETAILS%",
        "error": error_member(STATUS_CODES[reason].http, f"{spec.text} (%RESPONSE_CODE_DETAILS%)", reason.value),
        "decision": Effect.DENY.value,
        "reason": reason.value,
        "retry": spec.retry.value,
    }
    body = SubstitutionFormatString(json_format=Struct.from_dict(document), content_type=PROBLEM_TYPE)
    return ResponseMapper(filter=log_filter, body_format_override=body, headers_to_add=headers)


def _undecided() -> AccessLogFilter:
    """True when the authorizer left no decision id. One that is there is a string and no null."""
    decision = MetadataMatcher(
        filter=METADATA_NAMESPACE,
        path=[MetadataMatcherPathSegment(key="decision_id")],
        value=ValueMatcher(null_match=ValueMatcherNullMatch()),
    )
    return AccessLogFilter(metadata_filter=MetadataFilter(matcher=decision, match_if_key_not_found=True))


def _has_status(status: int) -> AccessLogFilter:
    value = RuntimeUInt32(default_value=status, runtime_key=f"aegis.local_reply_{status}")
    return AccessLogFilter(
        status_code_filter=StatusCodeFilter(comparison=ComparisonFilter(op=ComparisonFilterOp.EQ, value=value))
    )


def _all_of(*filters: AccessLogFilter) -> AccessLogFilter:
    return AccessLogFilter(and_filter=AndFilter(filters=list(filters)))
