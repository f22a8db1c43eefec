"""Request headers taken off before anything reads them: they are ours to set, or would change what was judged."""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from aegis_authz.proxy.typed import extension
from aegis_authz.wire.obligations import OBLIGATION_HEADER

_OURS = (OBLIGATION_HEADER, "x-aegis-approval-id", "x-aegis-decision", "x-aegis-decision-id")

_ANOTHER_REQUEST = (
    # frameworks act on these instead of the method and path that were judged
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
)

_PREFIXES = (
    "x-envoy-",  # would tell Envoy to repeat a call, or to give up on it
    "x-forwarded-",  # would tell a tool that somebody else calls
)


def early_header_mutation() -> TypedExtensionConfig:
    """The removals, made as soon as the headers have been read."""
    removed = [Mutation(remove=name) for name in (*_OURS, *_ANOTHER_REQUEST, "forwarded")]
    matched = [
        Mutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix)))
        for prefix in _PREFIXES
    ]
    return extension("envoy.http.early_header_mutation.header_mutation", HeaderMutation(mutations=[*removed, *matched]))
