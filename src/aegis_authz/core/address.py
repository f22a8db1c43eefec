"""Where something listens: a unix socket or a TCP port, written one way in all settings."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

UNIX = "unix:"
"""What the address of a unix socket begins with."""

_PORTS = range(2**16)
_NAME = "localhost"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A socket in the file system."""

    path: str


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host, without the brackets of IPv6, and a port; port 0 listens on any that is free."""

    host: str
    port: int


def read_address(text: str) -> UnixAddress | TcpAddress:
    """Read `unix:/path` or `host:port`. Raises ValueError for anything else."""
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        if not path:
            raise ValueError(f"{text!r} names no socket")
        return UnixAddress(path)
    return read_tcp_address(text)


def read_tcp_address(text: str) -> TcpAddress:
    """Read `host:port`, an IPv6 host in brackets. Raises ValueError for anything else."""
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) not in _PORTS:
        raise ValueError(f"{text!r} is neither unix:/path nor host:port")
    return TcpAddress(host.removeprefix("[").removesuffix("]"), int(port))


def is_loopback(host: str) -> bool:
    """Whether this is an address of this machine alone; a name is none."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def says_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: an address of loopback, or localhost."""
    return host == _NAME or is_loopback(host)


def is_private_url(scheme: str, host: str) -> bool:
    """Whether nobody on the way reads what is sent to a URL: https, or http that stays on this machine."""
    return bool(host) and (scheme == "https" or (scheme == "http" and says_loopback(host)))


def network_of(source: str) -> str:
    """What is slowed as one source: an IPv4 address, or the /64 of IPv6 that a single host has to itself.

    An IPv4 address that a socket of both families wrote as one of IPv6 is that IPv4 address (RFC 4291, 2.5.5.2): all of
    them are in one /64. Whatever is no address is "unknown".
    """
    try:
        address = ip_address(source)
    except ValueError:
        return "unknown"
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((address, 64), strict=False))
