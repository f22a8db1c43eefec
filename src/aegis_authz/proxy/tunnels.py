"""`CONNECT` on the forward listener: where it leads, and what of it the requests inside know.

Source: envoy/extensions/filters/http/set_filter_state/v3; RFC 9110 section 9.3.6.
"""

from __future__ import annotations

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import DataSource, SubstitutionFormatString
from envoy_data_plane.envoy.config.route.v3 import (
    FilterConfig,
    HeaderMatcher,
    Route,
    RouteAction,
    RouteActionUpgradeConfig,
    RouteActionUpgradeConfigConnectConfig,
    RouteMatch,
    RouteMatchConnectMatcher,
)
from envoy_data_plane.envoy.extensions.filters.common.set_filter_state.v3 import (
    FilterStateValue,
    FilterStateValueSharedWithUpstream,
)
from envoy_data_plane.envoy.extensions.filters.http.set_filter_state.v3 import Config
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher, StringMatcher

from aegis_authz.proxy.typed import packed

CARRY = "aegis.carry"
"""The filter that leaves what a CONNECT says for the requests inside."""

TARGET_STATE = "aegis.connect"
ID_STATE = "aegis.connect_id"
CREDENTIAL_STATE = "aegis.connect_credential"
PROOF_STATE = "aegis.connect_proof"
TLS_STATE = "aegis.connect_tls"
"""Filter state, by which Envoy alone says what it knows: no client writes it."""
REMOTE_STATE = "envoy.filters.listener.original_dst.remote_ip"
LOCAL_STATE = "envoy.filters.listener.original_dst.local_ip"
"""From where and to where a connection is, for the listener filter original_dst of an internal listener."""

_CARRIED = {
    ID_STATE: "%REQ(X-REQUEST-ID)%",
    CREDENTIAL_STATE: "%REQ(PROXY-AUTHORIZATION)%",
    PROOF_STATE: "%REQ(X-AEGIS-PROOF)%",
    TLS_STATE: "%DOWNSTREAM_TLS_VERSION%",
    REMOTE_STATE: "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%",
    LOCAL_STATE: "%DOWNSTREAM_LOCAL_ADDRESS%",
}
_NAME_AT_443 = r"[A-Za-z0-9_.-]*\.[A-Za-z][A-Za-z0-9-]*:443"  # no address, and no name without a dot
_UNTIMED = timedelta(0)


def tunnel_cluster(port: int) -> str:
    """The name of the listener, and of the cluster that leads to it, of tunnels to a port."""
    return f"intercept:{port}"


def carry_filter() -> Message:
    """The filter. It changes no request and answers none; only CONNECT has a use for it."""
    return Config(on_request_headers=[state_value(key, form) for key, form in _CARRIED.items()])


def carries() -> FilterConfig:
    """What a route says so that `carry_filter` runs on it: with the target, for Envoy takes no word that is empty."""
    return FilterConfig(config=packed(Config(on_request_headers=[state_value(TARGET_STATE, "%REQ(:AUTHORITY)%")])))


def connect_route(name: str, port: int) -> Route:
    """Takes a tunnel to the listener of its port."""
    return end_route(name, tunnel_cluster(port))


def end_route(name: str, cluster: str) -> Route:
    """Ends CONNECT here, and takes the bytes of the tunnel to a cluster."""
    connect = RouteActionUpgradeConfig(upgrade_type="CONNECT", connect_config=RouteActionUpgradeConfigConnectConfig())
    action = RouteAction(cluster=cluster, timeout=_UNTIMED, upgrade_configs=[connect])
    return Route(name=name, match=RouteMatch(connect_matcher=RouteMatchConnectMatcher()), route=action)


def unclaimed_route(name: str) -> Route:
    """Takes a tunnel to a host that no tool claims to where a refusal can be read; one to an address it does not."""
    route = connect_route(name, 443)
    if route.match is not None:
        pattern = StringMatcher(safe_regex=RegexMatcher(regex=_NAME_AT_443))
        route.match.headers = [HeaderMatcher(name=":authority", string_match=pattern)]
    return route


def state_value(key: str, form: str) -> FilterStateValue:
    """Filter state that the connection to an internal listener is told: a key, and how its value is written."""
    return FilterStateValue(
        object_key=key,
        factory_key="" if key.startswith("envoy.") else "envoy.hashable_string",
        shared_with_upstream=FilterStateValueSharedWithUpstream.ONCE,
        skip_if_empty=True,
        format_string=SubstitutionFormatString(
            text_format_source=DataSource(inline_string=form), omit_empty_values=True
        ),
    )
