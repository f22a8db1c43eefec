"""A redirection as rules of nftables: values in, text out.

Two tables named `aegis`, each taken off and put up anew in one transaction, so that there is no moment without rules.
The first refuses by default. Whoever may go out is named by user id, not whoever may not: a protocol that nobody
thought of is refused as well. The second stands at the device, for frames that no socket of the Internet protocols
sent.

Source: nft(8), of nftables 1.0.2 and newer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aegis_authz.intercept.redirection import Redirection

TABLE = "aegis"
MARKER = "written_by_aegis_intercept"
"""An empty chain, by which a table of our name is known for ours."""
FAMILIES = ("inet", "netdev")
SETS = ("gateways", "agents", "others", "names", "inbound", "local", "links")
"""The sets and maps of the table of Internet protocols: with what the rules were written, to be read again."""
_BEFORE_OTHERS = -110  # the usual is -100, where a container engine may lead names to a resolver of its own
_MARK = "0xae915"
_ANY_USER = "meta skuid 0-4294967295"  # matches what a socket sent; what the kernel itself sends has no user
_NEIGHBOURS = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } ip6 hoplimit 255 accept"
_REFUSE = "counter name refused reject with icmpx admin-prohibited"  # at once, so that clients need not time out


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain: where it hooks in, what becomes of a packet that no rule takes, and the rules in order."""

    name: str
    kind: str
    hook: str
    priority: int
    policy: str
    rules: tuple[str, ...]
    device: str = ""

    @property
    def head(self) -> str:
        """Its first line."""
        device = f' device "{self.device}"' if self.device else ""
        return f"type {self.kind} hook {self.hook}{device} priority {self.priority}; policy {self.policy};"


def chains(redirection: Redirection) -> tuple[Chain, ...]:
    """The chains of the table of Internet protocols."""
    held = (_redirecting(redirection), _going_out(redirection))
    return (*held, _coming_in(redirection)) if redirection.is_pod else held


def frame_chains(redirection: Redirection) -> tuple[Chain, ...]:
    """The chains of the table of frames, one a device."""
    rules, policy = (_frames_of_pod(), "drop") if redirection.is_pod else (_frames_of_users(redirection), "accept")
    return tuple(
        Chain(f"egress_{number}", "filter", "egress", 0, policy, rules, device)
        for number, device in enumerate(redirection.devices)
    )


def rules_text(redirection: Redirection) -> str:
    """All of it, for `nft -f -`: puts up what is wanted in place of what is there."""
    lines = [*_removals(), *_packets(redirection)]
    if redirection.devices:
        lines += _frames(redirection)
    return "\n".join([*lines, ""])


def removal_text() -> str:
    """What takes both tables off, whether they are there or not."""
    return "\n".join([*_removals(), ""])


def _removals() -> list[str]:
    # nft has no word yet for deleting what may not be there: it is made first
    return [f"{verb} table {family} {TABLE}" for family in FAMILIES for verb in ("add", "delete")]


def _packets(redirection: Redirection) -> list[str]:
    agents = [f"{uid} : {port}" for uid, port in redirection.agents.items()]
    others = [] if redirection.agents else [redirection.port]
    return [
        f"table inet {TABLE} {{",
        *_set("gateways", "uid", redirection.gateways),
        *_set("agents", "uid : inet_service", agents, "map"),
        *_set("others", "inet_service", others),
        *_set("names", "inet_service", [redirection.names_port]),
        *_set("inbound", "inet_service", redirection.inbound),
        *_set("local", "inet_service", redirection.local),
        *_set("links", "ifname", [f'"{device}"' for device in redirection.devices]),
        *(f"  counter {name} {{ }}" for name in ("redirected", "lookups", "refused", "strangers")),
        f"  chain {MARKER} {{ }}",
        *_chains(chains(redirection)),
        "}",
    ]


def _frames(redirection: Redirection) -> list[str]:
    return [
        f"table netdev {TABLE} {{",
        *_set("gateways", "uid", redirection.gateways),
        "  counter frames { }",
        f"  chain {MARKER} {{ }}",
        *_chains(frame_chains(redirection)),
        "}",
    ]


def _set(name: str, kind: str, elements: Iterable[object], word: str = "set") -> list[str]:
    values = ", ".join(str(element) for element in elements)
    return [f"  {word} {name} {{ type {kind};{f' elements = {{ {values} }}' if values else ''} }}"]


def _chains(all_chains: Iterable[Chain]) -> list[str]:
    lines: list[str] = []
    for chain in all_chains:
        lines += [f"  chain {chain.name} {{", f"    {chain.head}", *(f"    {rule}" for rule in chain.rules), "  }"]
    return lines


def _users(redirection: Redirection) -> list[tuple[str, int]]:
    """Whom a rule is about, and the port their calls go to."""
    if redirection.agents:
        return [(f"meta skuid {uid}", port) for uid, port in redirection.agents.items()]
    return [("meta skuid != @gateways", redirection.port)]


def _redirecting(redirection: Redirection) -> Chain:
    rules = ["meta skuid @gateways return"]
    users = _users(redirection)
    # names first: a resolver on loopback would look up, and tell the world, whatever it is asked
    rules += [f"{user} udp dport 53 counter name lookups redirect to :{redirection.names_port}" for user, _ in users]
    # never what is addressed to this machine: the gateway itself would connect to its own administration
    rules.append("fib daddr type local return")
    rules += [f"{user} meta l4proto tcp counter name redirected redirect to :{port}" for user, port in users]
    return Chain("divert", "nat", "output", _BEFORE_OTHERS, "accept", tuple(rules))


def _going_out(redirection: Redirection) -> Chain:
    passing: list[str] = []
    for user, port in _users(redirection):
        # led there by us, and not dialled: who dials a listener would be taken for its agent. And to this machine:
        # rules of others, such as a container engine's, may lead to a port of the same number elsewhere
        led = f"{user} ct status dnat fib daddr type local"
        passing.append(f"{led} tcp dport {port} ct mark set {_MARK} accept")
        passing.append(f"{led} udp dport {redirection.names_port} accept")
        if redirection.local:
            passing.append(f"{user} oifname lo tcp dport @local ct mark set {_MARK} accept")
    if redirection.is_pod:
        rules = [
            "ct state invalid drop",
            f"meta skuid @gateways ct mark set {_MARK} accept",
            *passing,
            # a tool in the pod answers the gateway, whoever it is; out of it, nobody speaks in a flow of the gateway
            f"oifname lo ct mark {_MARK} ct state established,related accept",
            f"{_ANY_USER} {_REFUSE}",
            # a socket that was closed has no user any more, and its last packets are still to be sent
            f"ct mark {_MARK} ct state established,related accept",
            "oifname lo ct state related accept",  # the kernel's own word of a refusal
            _NEIGHBOURS,
            "counter name refused",
        ]
        return Chain("leave", "filter", "output", 0, "drop", tuple(rules))
    strangers = [
        f"meta skuid != {{ {_users_of(redirection, port)} }} fib daddr type local tcp dport {port}"
        " ct direction original counter name strangers reject with icmpx admin-prohibited"
        for port in redirection.listeners
    ]
    established = [
        f"{user} oifname lo ct mark {_MARK} ct state established,related accept" for user, _ in _users(redirection)
    ]
    refusals = [f"{user} {_REFUSE}" for user, _ in _users(redirection)]
    return Chain("leave", "filter", "output", 0, "accept", (*strangers, *passing, *established, *refusals))


def _users_of(redirection: Redirection, port: int) -> str:
    return ", ".join(str(uid) for uid, listener in redirection.agents.items() if listener == port)


def _coming_in(redirection: Redirection) -> Chain:
    rules = [
        "iifname lo accept",
        "ct state established,related accept",
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept",
        *(["tcp dport @inbound accept"] if redirection.inbound else []),
        "counter name strangers",
    ]
    return Chain("enter", "filter", "input", 0, "drop", tuple(rules))


def _frames_of_pod() -> tuple[str, ...]:
    return (
        "meta skuid @gateways accept",
        f"{_ANY_USER} counter name frames drop",
        # of the kernel itself: neighbours, and the last packets of sockets that were closed
        "ether type arp accept",
        _NEIGHBOURS,
        "meta l4proto tcp tcp flags & syn != syn accept",
        "counter name frames",
    )


def _frames_of_users(redirection: Redirection) -> tuple[str, ...]:
    return tuple(f"meta skuid {uid} counter name frames drop" for uid in redirection.agents)
