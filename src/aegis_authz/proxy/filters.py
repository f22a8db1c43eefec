"""The HTTP filters: ext_authz decides, the sanitizer rewrites bodies where that was decided, ids of new MCP sessions
are wrapped, the router sends.

Source: envoy/extensions/filters/http/{ext_authz,ext_proc,composite}/v3. Nothing may stand before ext_authz.
"""

from __future__ import annotations

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRules
from envoy_data_plane.envoy.config.core.v3 import ApiVersion
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as RbacRules
from envoy_data_plane.envoy.config.rbac.v3 import RbacAction
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import Composite, ExecuteFilterAction
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import BufferSettings, ExtAuthz
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import (
    ExternalProcessor,
    HeaderForwardingRules,
    MetadataOptions,
    MetadataOptionsMetadataNamespaces,
    ProcessingMode,
    ProcessingModeBodySendMode,
    ProcessingModeHeaderSendMode,
)
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.type.matcher.v3 import HttpRequestHeaderMatchInput, ListStringMatcher
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher as TypeStringMatcher
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsExtension
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

from aegis_authz.config.proxy import ProxySettings
from aegis_authz.proxy.authorizers import body_service, check_service
from aegis_authz.proxy.places import PLACES, places_filter
from aegis_authz.proxy.session_ids import SESSIONS, session_filter
from aegis_authz.proxy.typed import extension, packed
from aegis_authz.proxy.usage import USAGE, usage_filter
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE
from aegis_authz.wire.mcp.session import SESSION_HEADER
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER

EXT_AUTHZ = "envoy.filters.http.ext_authz"
SANITIZE = "aegis.sanitize"
_MESSAGE_TIMEOUT = timedelta(seconds=2)

_SEND, _SKIP = ProcessingModeHeaderSendMode.SEND, ProcessingModeHeaderSendMode.SKIP
_UNSEEN, _WHOLE = ProcessingModeBodySendMode.NONE, ProcessingModeBodySendMode.BUFFERED
_DUPLEX = ProcessingModeBodySendMode.FULL_DUPLEX_STREAMED

PROCESSING: dict[str, ProcessingMode] = {
    # the request body lies in ext_authz's buffer already; a response must flow event by event, and
    # FULL_DUPLEX_STREAMED is the only mode that loses nothing when trailers follow
    "request": ProcessingMode(_SEND, _SKIP, _WHOLE, _UNSEEN, _SKIP, _SKIP),
    "response": ProcessingMode(_SKIP, _SEND, _UNSEEN, _DUPLEX, _SKIP, _SEND),
    "both": ProcessingMode(_SEND, _SEND, _WHOLE, _DUPLEX, _SKIP, _SEND),
}
"""By value of the obligation header: what ext_proc is shown."""

_COPIED = ProcessingMode(_SKIP, _SEND, _UNSEEN, ProcessingModeBodySendMode.STREAMED, _SKIP, _SKIP)
_HEAD_ALONE = ProcessingMode(_SKIP, _SEND, _UNSEEN, _UNSEEN, _SKIP, _SKIP)


_OF_THE_TOOL = ("authorization", "cookie")
"""What the authorizer is never shown: nobody judges it, and no record may hold it."""


def http_filters(settings: ProxySettings) -> list[HttpFilter]:
    """The filters of both listeners, in the order in which a request passes them."""
    return [
        _filter(EXT_AUTHZ, _ext_authz(settings)),
        _filter(SANITIZE, _sanitize()),
        # behind the sanitizer, so that what is redacted in a head is what the agent gets
        _filter(PLACES, places_filter()),
        _filter(SESSIONS, session_filter(_session_processor())),
        # next to the tool, so that it sees what the tool says
        _filter(USAGE, usage_filter(_usage_processor())),
        # no x-envoy-* headers: what Envoy knows of a call is not for the tool
        _filter("envoy.filters.http.router", Router(suppress_envoy_headers=True)),
    ]


def _filter(name: str, message: Message) -> HttpFilter:
    return HttpFilter(name=name, typed_config=packed(message))


def _ext_authz(settings: ProxySettings) -> ExtAuthz:
    return ExtAuthz(
        grpc_service=check_service(settings),
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=False,
        status_on_error=HttpStatus(code=StatusCode(503)),  # the default 403 looks like a denial by policy
        # a body over the limit is answered 413 before any check: never judge a part and send the whole
        with_request_body=BufferSettings(
            max_request_bytes=settings.max_body_bytes, allow_partial_message=False, pack_as_bytes=True
        ),
        # duplicates stay apart; and any header may be a parameter of an action, but for the tool's own credentials
        encode_raw_headers=True,
        disallowed_headers=ListStringMatcher(patterns=[TypeStringMatcher(exact=name) for name in _OF_THE_TOOL]),
        clear_route_cache=False,
        validate_mutations=True,
        max_denied_response_body_bytes=0,  # 0 does not cut: a denial can be a whole MCP result
    )


def _sanitize() -> ExtensionWithMatcher:
    """ext_proc by the value of the obligation header; any other value is refused, no header passes."""
    cases = [_case(StringMatcher(exact=value), SANITIZE, _ext_proc(mode)) for value, mode in PROCESSING.items()]
    any_value = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcherGoogleRe2(), regex=".*"))
    refuse_all = Rbac(rules=RbacRules(action=RbacAction.ALLOW))  # allows whom its policies name: nobody
    cases.append(_case(any_value, "aegis.refuse", refuse_all))
    return ExtensionWithMatcher(
        xds_matcher=Matcher(matcher_list=MatcherMatcherList(matchers=cases)),
        extension_config=extension("envoy.filters.http.composite", Composite()),
    )


def _case(value: StringMatcher, name: str, message: Message) -> MatcherMatcherListFieldMatcher:
    header = HttpRequestHeaderMatchInput(header_name=OBLIGATION_HEADER)
    single = MatcherMatcherListPredicateSinglePredicate(
        input=XdsExtension(name="obligation", typed_config=packed(header)), value_match=value
    )
    action = ExecuteFilterAction(typed_config=extension(name, message))
    return MatcherMatcherListFieldMatcher(
        predicate=MatcherMatcherListPredicate(single_predicate=single),
        on_match=MatcherOnMatch(action=XdsExtension(name=name, typed_config=packed(action))),
    )


def _ext_proc(mode: ProcessingMode) -> ExternalProcessor:
    return ExternalProcessor(
        grpc_service=body_service(),
        failure_mode_allow=False,
        allow_mode_override=False,
        processing_mode=mode,
        message_timeout=_MESSAGE_TIMEOUT,
        mutation_rules=HeaderMutationRules(
            allow_all_routing=False, allow_envoy=False, disallow_system=True, disallow_is_error=True
        ),
        metadata_options=MetadataOptions(
            forwarding_namespaces=MetadataOptionsMetadataNamespaces(untyped=[METADATA_NAMESPACE])
        ),
    )


def _usage_processor() -> ExternalProcessor:
    """Sends copies and goes on, whether anybody listens or not: nothing is decided by what it shows."""
    processor = _ext_proc(_COPIED)
    processor.observability_mode = True
    processor.failure_mode_allow = True
    return processor


def _session_processor() -> ExternalProcessor:
    processor = _ext_proc(_HEAD_ALONE)
    processor.forward_rules = HeaderForwardingRules(
        allowed_headers=ListStringMatcher(patterns=[TypeStringMatcher(exact=SESSION_HEADER)])
    )
    return processor
