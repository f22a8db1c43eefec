"""The filter that has the answers of language models watched: a copy of what passes goes to the authorizer's ext_proc.

It stands next to the tool, so that it sees what the tool says, and changes, delays and withholds nothing: Envoy sends
and goes on. It costs nothing elsewhere: ext_authz notes for which calls it is needed.

Source: envoy/extensions/filters/http/ext_proc/v3/ext_proc.proto, observability_mode.
"""

from __future__ import annotations

from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.http.composite.v3 import Composite, ExecuteFilterAction
from envoy_data_plane.envoy.extensions.filters.http.ext_proc.v3 import ExternalProcessor
from envoy_data_plane.envoy.extensions.matching.common_inputs.network.v3 import (
    DynamicMetadataInput,
    DynamicMetadataInputPathSegment,
)
from envoy_data_plane.envoy.extensions.matching.input_matchers.metadata.v3 import Metadata
from envoy_data_plane.envoy.type.matcher.v3 import ValueMatcher
from envoy_data_plane.xds.core.v3 import TypedExtensionConfig as XdsExtension
from envoy_data_plane.xds.type.matcher.v3 import (
    Matcher,
    MatcherMatcherList,
    MatcherMatcherListFieldMatcher,
    MatcherMatcherListPredicate,
    MatcherMatcherListPredicateSinglePredicate,
    MatcherOnMatch,
)

from aegis_authz.proxy.typed import extension, packed
from aegis_authz.wire.envoy.ext_authz import USAGE_METADATA
from aegis_authz.wire.envoy.ext_proc import METADATA_NAMESPACE

USAGE = "aegis.usage"


def usage_filter(processor: ExternalProcessor) -> ExtensionWithMatcher:
    """`processor` for the calls whose usage is to be read, and for no others."""
    place = DynamicMetadataInput(filter=METADATA_NAMESPACE, path=[DynamicMetadataInputPathSegment(key=USAGE_METADATA)])
    present = Metadata(value=ValueMatcher(present_match=True))
    is_watched = MatcherMatcherListPredicateSinglePredicate(
        input=XdsExtension(name="usage", typed_config=packed(place)),
        custom_match=XdsExtension(name="present", typed_config=packed(present)),
    )
    action = ExecuteFilterAction(typed_config=extension(USAGE, processor))
    case = MatcherMatcherListFieldMatcher(
        predicate=MatcherMatcherListPredicate(single_predicate=is_watched),
        on_match=MatcherOnMatch(action=XdsExtension(name=USAGE, typed_config=packed(action))),
    )
    return ExtensionWithMatcher(
        xds_matcher=Matcher(matcher_list=MatcherMatcherList(matchers=[case])),
        extension_config=extension("envoy.filters.http.composite", Composite()),
    )
