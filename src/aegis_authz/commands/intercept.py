"""Rules that leave an agent no way around the gateway: put up, taken off, looked at, shown."""

from __future__ import annotations

import pwd
from collections.abc import Iterable
from dataclasses import dataclass

from aegis_authz.adapters.netfilter import Netfilter, NetfilterFault, devices
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.intercept.packet_rules import removal_text, rules_text
from aegis_authz.intercept.redirection import Redirection, RedirectionFault
from aegis_authz.intercept.rules_in_force import RulesInForce, StrangerTable, is_ours, read_rules


@dataclass(frozen=True, slots=True)
class RedirectionWords:
    """A redirection in the words of the command line: `agents` as UID or UID=PORT, users by id or name."""

    gateways: tuple[str, ...]
    agents: tuple[str, ...]
    is_pod: bool
    port: int
    names_port: int
    inbound: tuple[int, ...]
    local: tuple[int, ...]
    devices: tuple[str, ...]


def redirection_of(words: RedirectionWords) -> Redirection:
    """What the words say. Raises Unable for a user that is not there, and for what makes no rules."""
    try:
        return Redirection(
            gateways=tuple(map(_uid, words.gateways)),
            agents=dict(_agents(words)),
            is_pod=words.is_pod,
            port=words.port,
            names_port=words.names_port,
            inbound=words.inbound,
            local=words.local,
            devices=words.devices,
        )
    except RedirectionFault as fault:
        raise Unable(str(fault)) from None


@unable_on(NetfilterFault)
def put_up(redirection: Redirection) -> None:
    """Put the rules in force, in place of those that were. Raises Unable, and Rejected for a table of somebody else."""
    absent = sorted(set(redirection.devices) - devices())
    if absent:
        raise Unable(f"there is no device {absent[0]} here: {', '.join(sorted(devices()))}")
    netfilter = Netfilter()
    _require_own(netfilter)
    netfilter.write(rules_text(redirection))


@unable_on(NetfilterFault)
def take_off() -> bool:
    """Take the rules off; whether there were any. Raises Unable, and Rejected for a table of somebody else."""
    netfilter = Netfilter()
    was_on = _require_own(netfilter)
    netfilter.write(removal_text())
    return was_on


@unable_on(NetfilterFault)
def look() -> RulesInForce | None:
    """What is in force, None for nothing. Raises Unable, and Rejected for a table of somebody else."""
    tables = Netfilter().tables()
    if "inet" not in tables:
        return None
    try:
        return read_rules(tables["inet"], tables.get("netdev"))
    except StrangerTable as fault:
        raise Rejected(str(fault)) from None
    except (ValueError, KeyError, IndexError) as fault:
        raise Rejected(f"the table inet aegis cannot be read: {fault}") from None


def _require_own(netfilter: Netfilter) -> bool:
    tables = netfilter.tables()
    for family, listing in tables.items():
        if not is_ours(listing):
            raise Rejected(
                f"there is a table {family} aegis that aegis intercept did not write;"
                f" look at it, and take it off by: nft delete table {family} aegis"
            )
    return bool(tables)


def _agents(words: RedirectionWords) -> Iterable[tuple[int, int]]:
    for text in words.agents:
        user, _, port = text.partition("=")
        if port and not (port.isascii() and port.isdecimal()):
            raise Unable(f"--uid {text}: the port is not a number")
        yield _uid(user), int(port) if port else words.port


def _uid(text: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    try:
        return pwd.getpwnam(text).pw_uid
    except KeyError:
        raise Unable(f"there is no user {text!r} on this machine") from None
