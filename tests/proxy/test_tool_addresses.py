"""Which addresses a tool's name may lead to, held against what Python's `ipaddress` knows of them."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.proxy.clusters import HTTP_OPTIONS, clusters
from aegis_authz.proxy.example import EXAMPLE
from aegis_authz.proxy.render import to_yaml
from aegis_authz.proxy.tool_addresses import NOBODYS, PRIVATE


def within(address: IPv4Address | IPv6Address, ranges: tuple[str, ...]) -> bool:
    return any(address in network for network in map(ip_network, ranges) if network.version == address.version)


@given(st.ip_addresses())
def test_an_address_of_a_private_network_is_of_no_public_name(address: IPv4Address | IPv6Address) -> None:
    special = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    if special or (address.version == 4 and address.is_reserved):
        assert within(address, (*NOBODYS, *PRIVATE))


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "::ffff:169.254.169.254",
     "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::a83f:8110", "64:ff9b::6464:64c8", "0.0.0.1", "fe80::1", "224.0.0.1", "255.255.255.255"],
)  # fmt: skip
def test_no_name_leads_to_metadata_or_to_nobody(address: str) -> None:
    assert within(ip_address(address), NOBODYS)


@pytest.mark.parametrize(
    "address",
    ["10.1.2.3", "172.31.0.1", "192.168.0.1", "127.0.0.1", "::1", "fd12::1", "100.64.0.1", "64:ff9b::a01:203"],
)
def test_only_the_name_of_an_own_place_leads_to_a_private_network(address: str) -> None:
    assert within(ip_address(address), PRIVATE)
    assert not within(ip_address(address), NOBODYS)


@given(st.ip_addresses(v=4))
def test_a_translator_leads_nowhere_that_the_address_itself_may_not(address: IPv4Address) -> None:
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))
    for ranges in (NOBODYS, PRIVATE):
        assert within(translated, ranges) == within(address, ranges)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "140.82.121.6", "2606:4700::1111", "100.128.0.1", "172.32.0.1", "64:ff9b::808:808"],
)
def test_public_addresses_are_followed(address: str) -> None:
    assert not within(ip_address(address), (*NOBODYS, *PRIVATE))


@pytest.mark.parametrize(
    ("upstream", "ranges"),
    [
        ("", (*NOBODYS, *PRIVATE)),
        ("https://crm.internal", NOBODYS),
        ("http://crm.internal:8080", NOBODYS),
        ("http://10.0.0.5", None),
        ("http://[fd00::5]:80", None),
    ],
)
def test_the_filter_stands_before_every_name(upstream: str, ranges: tuple[str, ...] | None) -> None:
    tool = Tool("t", "api.example", None, upstream, (), "", "", None, False, False, NO_INTERFACE)
    cluster = yaml.safe_load(to_yaml(clusters(EXAMPLE, Catalogue.of((tool,)))[0]))
    filters = cluster["typed_extension_protocol_options"][HTTP_OPTIONS].get("http_filters", [])
    if ranges is None:
        assert filters == []
        return
    assert [entry["name"].rpartition(".")[2] for entry in filters] == ["upstream_rbac", "upstream_codec"]
    [policy] = filters[0]["typed_config"]["rules"]["policies"].values()
    every, others = policy["permissions"][0]["and_rules"]["rules"]
    assert _networks(every) == {"0.0.0.0/0", "::/0"}
    assert _networks(others["not_rule"]) == {str(ip_network(network)) for network in ranges}


def _networks(permission: dict[str, object]) -> set[str]:
    rules = permission["or_rules"]["rules"]  # type: ignore[index]
    places = [rule["matcher"]["typed_config"]["upstream_ip"] for rule in rules]
    return {str(ip_network(f"{place['address_prefix']}/{place.get('prefix_len', 0)}")) for place in places}
