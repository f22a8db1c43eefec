"""Whose process is at the other end of a loopback connection, by the kernel's own tables of sockets.

No secret has to stand in a client's configuration, and none can leak from there: a process of another user is told from
one of ours by the owner of its socket. (Linux, proc(5): `/proc/net/tcp` and `tcp6`.)
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_ESTABLISHED = "01"  # of a socket that was closed the kernel says 0, whoever had it
_LOCAL, _REMOTE, _STATE, _OWNER = 1, 2, 3, 7


def owner_of(peer: tuple[str, int], own: tuple[str, int]) -> int | None:
    """The uid of the process that is connected from `peer` to `own`, None when no such connection is listed."""
    ends = _spellings(peer), _spellings(own)
    for table in _TABLES:
        try:
            lines = table.read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            words = line.split()
            if words[_STATE] == _ESTABLISHED and words[_LOCAL] in ends[0] and words[_REMOTE] in ends[1]:
                return int(words[_OWNER])
    return None


def _spellings(end: tuple[str, int]) -> tuple[str, ...]:
    """An address as the tables write it: words of four bytes in the machine's order, an IPv4 one also within IPv6."""
    address = ipaddress.ip_address(end[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return (_words(address.packed, end[1]),)
        address = address.ipv4_mapped
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    return _words(address.packed, end[1]), _words(mapped.packed, end[1])


def _words(packed: bytes, port: int) -> str:
    words = (packed[start : start + 4] for start in range(0, len(packed), 4))
    ordered = (word if sys.byteorder == "big" else word[::-1] for word in words)
    return f"{b''.join(ordered).hex().upper()}:{port:04X}"
