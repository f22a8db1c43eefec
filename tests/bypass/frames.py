"""Frames as a witness outside saw them: which are of a probe."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_IPV4, _IPV6 = b"\x08\x00", b"\x86\xdd"
_ICMPV6 = 58
_NEIGHBOURS = range(130, 144)
"""Types of ICMPv6 that kernels send by themselves (RFC 4861, RFC 3810)."""


def destination(frame: bytes) -> str:
    """The address that a frame is for, "" for what is no packet."""
    if frame[12:14] == _IPV4:
        return str(ipaddress.IPv4Address(frame[30:34]))
    return str(ipaddress.IPv6Address(frame[38:54])) if frame[12:14] == _IPV6 else ""


def of_probe(frames: Iterable[bytes], token: str, hosts: Iterable[str]) -> set[str]:
    """Whom the world saw a probe for: each address, "" for a frame of another kind, that got the token, or a packet where
    it is one of `hosts`.
    """
    strangers = frozenset(hosts)
    places = set()
    for frame in frames:
        place = destination(frame)
        if token.encode() in frame or (place in strangers and not _is_of_kernel(frame)):
            places.add(place)
    return places


def _is_of_kernel(frame: bytes) -> bool:
    return frame[12:14] == _IPV6 and frame[20] == _ICMPV6 and frame[54] in _NEIGHBOURS
