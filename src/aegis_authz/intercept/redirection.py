"""Whose packets are led to the gateway, and what else may pass: what the rules of a packet filter are written from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.redirection_ports import NAMES_PORT, TRANSPARENT_PORT

GATEWAY_UID = 1337
"""Who may go out where nothing else is said: in a pod, by the chart and by `aegis intercept`."""

_ROOT = 0
_LAST_UID = 4_294_967_294  # (uid_t)-1 means nobody
_LAST_PORT = 65_535
_DEVICE = re.compile(r"[A-Za-z0-9_.@-]{1,15}\Z")  # IFNAMSIZ of linux/if.h; what nft takes in quotes


class RedirectionFault(ValueError):
    """These values make no rules; the message says why, in the words of the command line."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """What of this network namespace goes to the gateway.

    `agents` are users by id, each with the port of the listener that stands for it. With `is_pod` the namespace is
    theirs and the gateway's alone: all others are refused or, where `agents` is empty, led to `port`; and nobody gets
    in but to the ports `inbound`, where only the gateway answers. Without it, other users of the machine are left
    alone. `gateways` are the users who may go out. Names are looked up at `names_port`. `local` are TCP ports of
    loopback that agents may reach. On `devices` also frames are held that no socket of the Internet protocols sent.
    """

    gateways: tuple[int, ...]
    agents: Mapping[int, int]
    is_pod: bool
    port: int = TRANSPARENT_PORT
    names_port: int = NAMES_PORT
    inbound: tuple[int, ...] = ()
    local: tuple[int, ...] = ()
    devices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises RedirectionFault for values that let through what they seem to hold."""
        object.__setattr__(self, "agents", MappingProxyType(dict(sorted(self.agents.items()))))
        for name in ("gateways", "inbound", "local", "devices"):
            object.__setattr__(self, name, tuple(sorted(set(getattr(self, name)))))
        for trouble in filter(None, (self._users_trouble(), self._ports_trouble(), self._place_trouble())):
            raise RedirectionFault(trouble)

    @property
    def listeners(self) -> tuple[int, ...]:
        """The ports of all transparent listeners that packets are led to."""
        return tuple(sorted({*self.agents.values()} if self.agents else {self.port}))

    def _users_trouble(self) -> str:
        users = (*self.gateways, *self.agents)
        wrong = next((uid for uid in users if not 0 <= uid <= _LAST_UID), None)
        both = sorted(set(self.gateways) & set(self.agents))
        if wrong is not None:
            return f"{wrong} is no user id: it is not between 0 and {_LAST_UID}"
        if not self.gateways:
            return "--gateway is missing: somebody must be allowed to go out"
        if both:
            return f"user {both[0]} is both --uid and --gateway: what the gateway's user sends is not held"
        if _ROOT in self.agents:
            return "--uid 0 cannot be held: root takes rules off"
        return "" if self.agents or self.is_pod else "name whom to hold: --uid, --pod or both"

    def _ports_trouble(self) -> str:
        ports = (*self.listeners, self.names_port, *self.inbound, *self.local)
        wrong = next((port for port in ports if not 0 < port <= _LAST_PORT), None)
        own = {*self.listeners, self.names_port}
        if wrong is not None:
            return f"{wrong} is no port: it is not between 1 and {_LAST_PORT}"
        if self.names_port in self.listeners:
            return f"{self.names_port} is the port of both calls and names"
        if own & {*self.local, *self.inbound}:
            return "--local and --inbound cannot open a port of the gateway's own listeners"
        return ""

    def _place_trouble(self) -> str:
        strange = next((name for name in self.devices if not _DEVICE.match(name)), None)
        if strange is not None:
            return f"{strange!r} is not the name of a network device"
        return "--inbound is of a pod: a host has a firewall of its own" if self.inbound and not self.is_pod else ""
