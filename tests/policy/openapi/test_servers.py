"""Where a description, a path or an operation says its server is."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.openapi.references import Description
from aegis_authz.policy.openapi.servers import Address, ServersUnreadable, address_of, host_of

DESCRIPTION = Description({"here": {"url": "https://shop.example/v1"}})


def address(servers: object, location: str = "") -> Address | None:
    holder: Any = {"servers": servers}
    return address_of(DESCRIPTION, holder, location)


@pytest.mark.parametrize(
    ("server", "location", "host", "base"),
    [
        ({"url": "https://shop.example"}, "", "shop.example", ""),
        ({"url": "https://shop.example:443/v1/"}, "", "shop.example", "/v1"),
        ({"url": "http://shop.example:8080/v1"}, "", "shop.example:8080", "/v1"),
        ({"url": "/v1"}, "", "", "/v1"),
        ({"url": "/v1"}, "https://docs.example/api.json", "docs.example", "/v1"),
        ({"url": "https://{r}.shop.example/"}, "", "", ""),
        ({"url": "https://{r}.shop.example/", "variables": {"r": {"default": "eu"}}}, "", "eu.shop.example", ""),
        ({"url": "wss://shop.example/v1"}, "", "", "/v1"),
        ({"$ref": "#/here"}, "", "shop.example", "/v1"),
    ],
)
def test_the_first_server_is_the_address(server: object, location: str, host: str, base: str) -> None:
    is_relative = server == {"url": "/v1"} and not location
    assert address([server, {"url": "https://other.example"}], location) == Address(host, base, is_relative)


@pytest.mark.parametrize("servers", [None, []])
def test_no_server_is_no_address(servers: object) -> None:
    assert address(servers) is None


@pytest.mark.parametrize(
    ("servers", "sentence"),
    [
        ({"url": "https://shop.example"}, "servers is no list"),
        ("https://shop.example", "servers is no list"),
        (["https://shop.example"], r"servers\[0\] is no object"),
        ([{}], r"servers\[0\]\.url is no text"),
        ([{"url": 7}], r"servers\[0\]\.url is no text"),
        ([{"url": "https://shop.example", "variables": []}], r"servers\[0\]\.variables is no object"),
        ([{"url": "https://shop.example:99999"}], r"servers\[0\]\.url is no URL"),
        ([{"url": "https://[shop"}], r"servers\[0\]\.url is no URL"),
        ([{"$ref": "#/nowhere"}], r"servers\[0\]: '#/nowhere' leads nowhere"),
    ],
)
def test_what_is_no_server_is_named_by_its_place(servers: object, sentence: str) -> None:
    with pytest.raises(ServersUnreadable, match=sentence):
        address(servers)


def test_only_http_has_a_host() -> None:
    assert (host_of("https://a.example:443/x"), host_of("ftp://a.example"), host_of("")) == ("a.example", "", "")
