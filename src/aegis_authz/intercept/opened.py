"""Which hosts the mesh opens HTTPS of: those of the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.intercept.names import is_host_name

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class OpenedHost:
    """A host and port that agents reach by `CONNECT`, and the tools that answer there."""

    host: str
    port: int
    tools: tuple[Tool, ...]

    @property
    def is_opaque(self) -> bool:
        """Whether its TLS is passed through and not opened."""
        return self.tools[0].is_opaque

    @property
    def target(self) -> str:
        """What a client asks for by `CONNECT` (RFC 9110 section 9.3.6)."""
        return f"{self.host}:{self.port}"

    @property
    def authorities(self) -> tuple[str, ...]:
        """How a client names it in a request inside (RFC 9110 section 7.2)."""
        return (self.host, self.target) if self.port == HTTPS_PORT else (self.target,)


def opened_hosts(catalogue: Catalogue) -> tuple[OpenedHost, ...]:
    """The hosts, in order. An address is none: its clients name no server in their handshake."""
    hosts: dict[tuple[str, int], OpenedHost] = {}
    # an entry without a port comes first: it is what an https:// URL without one means
    for host, port in sorted(catalogue.by_address, key=lambda address: (address[0], address[1] or 0)):
        place = (host, port or HTTPS_PORT)
        if place not in hosts and is_host_name(host):
            hosts[place] = OpenedHost(*place, catalogue.by_address[host, port])
    return tuple(hosts[place] for place in sorted(hosts))
