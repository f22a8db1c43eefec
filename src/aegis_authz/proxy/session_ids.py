"""The filter that has the ids of new MCP sessions wrapped: a head that opens one passes the authorizer's ext_proc.

It costs nothing elsewhere: whether it is needed is told by the answer's own header, and by what ext_authz noted.
"""

from __future__ import annotations

from betterproto2 import Message
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import Composite, ExecuteFilterAction
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ExternalProcessor
from envoy_data_plane.envoy.extensions.matching.common_inputs.network.v3 import (
    DynamicMetadataInput,
    DynamicMetadataInputPathSegment,
)
from envoy_data_plane.envoy.extensions.matching.input_matchers.metadata.v3 import Metadata
from envoy_data_plane.envoy.type.matcher.v3 import HttpResponseHeaderMatchInput, ValueMatcher
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsExtension
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicatePredicateList,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
    RegexMatcher,
    RegexMatcherGoogleRe2,
    StringMatcher,
)

from aegis_authz.proxy.typed import extension, packed
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE
from aegis_authz.wire.mcp.session import OWNER_METADATA, SESSION_HEADER

SESSIONS = "aegis.sessions"


def session_filter(processor: ExternalProcessor) -> ExtensionWithMatcher:
    """`processor` for the heads that open a session, and for no others."""
    opening = MatcherMatcherListPredicate(
        and_matcher=MatcherMatcherListPredicatePredicateList(predicate=[_may_open(), _has_id()])
    )
    action = ExecuteFilterAction(typed_config=extension(SESSIONS, processor))
    case = MatcherMatcherListFieldMatcher(
        predicate=opening, on_match=MatcherOnMatch(action=XdsExtension(name=SESSIONS, typed_config=packed(action)))
    )
    return ExtensionWithMatcher(
        xds_matcher=Matcher(matcher_list=MatcherMatcherList(matchers=[case])),
        extension_config=extension("envoy.filters.http.composite", Composite()),
    )


def _may_open() -> MatcherMatcherListPredicate:
    # not by a request header: the router takes ours off before there is an answer
    owner = DynamicMetadataInput(filter=METADATA_NAMESPACE, path=[DynamicMetadataInputPathSegment(key=OWNER_METADATA)])
    present = _extension("present", Metadata(value=ValueMatcher(present_match=True)))
    return _single("owner", owner, custom_match=present)


def _has_id() -> MatcherMatcherListPredicate:
    any_value = StringMatcher(safe_regex=RegexMatcher(google_re2=RegexMatcherGoogleRe2(), regex=".*"))
    return _single("id", HttpResponseHeaderMatchInput(header_name=SESSION_HEADER), value_match=any_value)


def _extension(name: str, message: Message) -> XdsExtension:
    return XdsExtension(name=name, typed_config=packed(message))


def _single(
    name: str, value: Message, value_match: StringMatcher | None = None, custom_match: XdsExtension | None = None
) -> MatcherMatcherListPredicate:
    predicate = MatcherMatcherListPredicateSinglePredicate(
        input=_extension(name, value), value_match=value_match, custom_match=custom_match
    )
    return MatcherMatcherListPredicate(single_predicate=predicate)
