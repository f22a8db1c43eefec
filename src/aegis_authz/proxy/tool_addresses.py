"""Which addresses the name of a tool may lead to: looked at by Envoy when it has chosen one, before it connects.

Names are resolved by whoever answers for them, and an answer may be another one by the next call. What an operator
wrote as an address needs no look.

Source: envoy/extensions/filters/http/rbac/v3 as the upstream filter `upstream_rbac` (Envoy 1.39),
envoy/extensions/rbac/matchers/upstream_ip_port/v3; the IANA registries of special-purpose addresses (RFC 6890).
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network

from envoy_data_plane.envoy.config.core.v3 import CidrRange
from envoy_data_plane.envoy.config.rbac.v3 import Permission, PermissionSet, Policy, Principal, RbacAction
from envoy_data_plane.envoy.config.rbac.v3 import Rbac as RbacRules
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.envoy.extensions.rbac.matchers.upstream_ip_port.v3 import UpstreamIpPortMatcher

from aegis_authz.proxy.typed import extension, packed

POLICY = "tool_address"
"""What the access log names where an address was refused: `rbac_access_denied`."""

_TRANSLATOR = IPv6Address("64:ff9b::")
"""Before an IPv4 address by which a network of IPv6 alone reaches it (RFC 6052)."""


def _translated(networks: tuple[str, ...]) -> tuple[str, ...]:
    """The networks, and the same behind a translator."""
    behind = (
        f"{IPv6Address(int(_TRANSLATOR) | int(network.network_address))}/{96 + network.prefixlen}"
        for network in map(ip_network, networks)
        if network.version == 4
    )
    return (*networks, *behind)


NOBODYS = _translated(
    (
        *("0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/128", "fe80::/10", "ff00::/8"),
        # metadata services of clouds outside of 169.254.0.0/16: Azure, Alibaba, Oracle; AWS and Google by IPv6
        *("168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32", "fd00:ec2::254/128", "fd20:ce::254/128"),
        "::ffff:0.0.0.0/96",  # IPv4 in another coat: mapped
    )
)
"""No tool is here, whatever a name says: link-local, metadata, multicast, this very host as 0.0.0.0."""

PRIVATE = _translated(
    (
        *("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15"),
        *("::1/128", "fc00::/7", "64:ff9b:1::/48", "2002::/16"),
    )
)
"""Nobody's public name leads here; the name of a place in one's own network may."""

_EVERY = ("0.0.0.0/0", "::/0")


def address_filter(is_own_place: bool) -> HttpFilter:
    """Refuse a call (403) whose tool's name leads to an address that it may not: NOBODYS, and PRIVATE unless the
    catalogue names the place of the tool itself. An address that is not known is refused as well.
    """
    ranges = NOBODYS if is_own_place else (*NOBODYS, *PRIVATE)
    allowed = Permission(and_rules=PermissionSet(rules=[_any_of(_EVERY), Permission(not_rule=_any_of(ranges))]))
    policy = Policy(permissions=[allowed], principals=[Principal(any=True)])
    rules = RbacRules(action=RbacAction.ALLOW, policies={POLICY: policy})
    return HttpFilter(name="envoy.filters.http.upstream_rbac", typed_config=packed(Rbac(rules=rules)))


def _any_of(ranges: tuple[str, ...]) -> Permission:
    return Permission(or_rules=PermissionSet(rules=[_within(network) for network in ranges]))


def _within(network: str) -> Permission:
    cidr = ip_network(network)
    matcher = UpstreamIpPortMatcher(
        upstream_ip=CidrRange(address_prefix=str(cidr.network_address), prefix_len=cidr.prefixlen)
    )
    return Permission(matcher=extension("envoy.rbac.matchers.upstream_ip_port", matcher))
