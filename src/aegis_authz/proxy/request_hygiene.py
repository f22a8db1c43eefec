"""Request headers taken off before anything reads them: they are ours to set, or would change what was judged."""

from __future__ import annotations

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation as Mutation
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from aegis_authz.proxy.tunnels import CREDENTIAL_STATE, ID_STATE, PROOF_STATE, TARGET_STATE, TLS_STATE
from aegis_authz.proxy.typed import extension, overwritten
from aegis_authz.wire.envoy.ext_authz import TLS_HEADER, TUNNEL_ID_HEADER, TUNNEL_PROOF_HEADER, TUNNEL_TARGET_HEADER
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER

_OURS = (
    OBLIGATION_HEADER,
    "x-aegis-agent",
    "x-aegis-approval-id",
    "x-aegis-decision",
    "x-aegis-decision-id",
    "x-aegis-identity",
    TLS_HEADER,
    TUNNEL_ID_HEADER,
    TUNNEL_PROOF_HEADER,
    TUNNEL_TARGET_HEADER,
)

_ANOTHER_REQUEST = (
    # frameworks act on these instead of the method and path that were judged
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-original-uri",
    "x-original-url",
    "x-rewrite-url",
    "x-script-name",
)

_ANOTHER_CALLER = (
    "cf-connecting-ip",
    "forwarded",
    "proxy",  # CGI makes HTTP_PROXY of it, and the tool's own calls go there (CVE-2016-5385)
    "remote-user",
    "true-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-forwarded",
    "x-real-ip",
    "x-remote-user",
)

_PREFIXES = (
    "x-envoy-",  # would tell Envoy to repeat a call, or to give up on it
    "x-forwarded-",  # would tell a tool that somebody else calls
)


_CARRIED = {
    TUNNEL_TARGET_HEADER: TARGET_STATE,
    TUNNEL_ID_HEADER: ID_STATE,
    TUNNEL_PROOF_HEADER: PROOF_STATE,
    "proxy-authorization": CREDENTIAL_STATE,
    TLS_HEADER: TLS_STATE,
}
"""What the requests of a tunnel carry of its CONNECT, by header: the filter state it is in."""


def early_header_mutation() -> TypedExtensionConfig:
    """The removals, made as soon as the headers have been read, and what we say in their place."""
    # of the connection itself, not of our settings: nothing else in a check says it, not even tls_session
    encrypted = Mutation(append=overwritten(TLS_HEADER, "%DOWNSTREAM_TLS_VERSION%"))
    return _extension([*_removals(), encrypted])


def carried_headers() -> TypedExtensionConfig:
    """The same inside a tunnel, where what is said of the connection is what was known of the CONNECT."""
    # removed first: where nothing is known nothing is written, and a client's own copy would stay
    removed = [Mutation(remove=header) for header in _CARRIED]
    carried = [
        Mutation(append=overwritten(header, f"%FILTER_STATE({state}:PLAIN)%")) for header, state in _CARRIED.items()
    ]
    return _extension([*_removals(), *removed, *carried])


def _removals() -> list[Mutation]:
    removed = [Mutation(remove=name) for name in (*_OURS, *_ANOTHER_REQUEST, *_ANOTHER_CALLER)]
    matched = [
        Mutation(remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix)))
        for prefix in _PREFIXES
    ]
    return [*removed, *matched]


def _extension(mutations: list[Mutation]) -> TypedExtensionConfig:
    return extension("envoy.http.early_header_mutation.header_mutation", HeaderMutation(mutations=mutations))
