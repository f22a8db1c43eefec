from __future__ import annotations

import pytest

from aegis_authz.core.address import TcpAddress, UnixAddress, is_private_url, network_of, read_address, read_tcp_address


def test_a_unix_address_is_a_path() -> None:
    assert read_address("unix:/run/aegis/authz-0.sock") == UnixAddress("/run/aegis/authz-0.sock")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", TcpAddress("127.0.0.1", 8080)),
        ("[::1]:8080", TcpAddress("::1", 8080)),
        ("authz.internal:0", TcpAddress("authz.internal", 0)),
        ("localhost:65535", TcpAddress("localhost", 65535)),
    ],
)
def test_a_tcp_address_is_a_host_and_a_port(text: str, address: TcpAddress) -> None:
    assert read_address(text) == read_tcp_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "unix:", "localhost", ":80", "localhost:", "localhost:65536", "a:-1", "a:1x", "a:\uff11"]
)
def test_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(ValueError):
        read_address(text)


def test_a_unix_address_is_no_port() -> None:
    with pytest.raises(ValueError):
        read_tcp_address("unix:/run/aegis/authz-0.sock")


@pytest.mark.parametrize(
    ("source", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("a.example", "unknown"),
    ],
)
def test_what_a_single_host_can_be_is_one_source(source: str, network: str) -> None:
    assert network_of(source) == network


@pytest.mark.parametrize(
    ("scheme", "host", "is_private"),
    [
        ("https", "idp.example", True),
        ("http", "localhost", True),
        ("http", "127.0.0.9", True),
        ("http", "::1", True),
        ("http", "idp.example", False),
        ("http", "localhost.example", False),
        ("https", "", False),
        ("ftp", "127.0.0.1", False),
    ],
)
def test_a_url_is_private_over_tls_or_where_it_stays_on_this_machine(scheme: str, host: str, is_private: bool) -> None:
    assert is_private_url(scheme, host) is is_private
