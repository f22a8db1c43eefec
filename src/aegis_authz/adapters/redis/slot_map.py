"""Which master of a Redis Cluster serves which slots, and how a cluster is named in the settings. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from redis.crc import key_slot
from redis.exceptions import ClusterDownError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import RedisUrlUnusable

_SCHEMES = {"cluster": "redis", "clusters": "rediss"}
_ADDRESS = re.compile(r"(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}\Z")
_CREDENTIALS = re.compile(r"[^/#\[\]\s]*\Z")
"""Without the signs that end the place in an URL (RFC 3986, section 3.2): before them would stand another host."""
_TLS = re.compile(r"ssl_(?:ca_certs|certfile|keyfile)=[^&]+\Z")
_SLOTS = 16384
_SLOT_OF = {partition: key_slot(redis_keys.epoch(partition).encode()) for partition in redis_keys.ALL_PARTITIONS}


@dataclass(frozen=True, slots=True)
class SlotMap:
    """Ranges of slots, each the first, the last and its master's `host:port`; and slots that have moved since."""

    ranges: tuple[tuple[int, int, str], ...]
    moved: Mapping[int, str]

    def master_of(self, key: str) -> str:
        """The address of the master that holds the key. Raises ClusterDownError where no master serves its slot."""
        slot = key_slot(key.encode())
        address = self._address(slot)
        if not address:
            raise ClusterDownError(f"no master serves slot {slot}")
        return address

    def partitions(self) -> Mapping[str, tuple[str, ...]]:
        """The partitions of each master. Raises ClusterDownError where one has none."""
        partitions: dict[str, list[str]] = {}
        for partition, slot in _SLOT_OF.items():
            address = self._address(slot)
            if not address:
                raise ClusterDownError(f"no master serves slot {slot}")
            partitions.setdefault(address, []).append(partition)
        return {address: tuple(names) for address, names in partitions.items()}

    def after_move(self, slot: int, address: str) -> SlotMap:
        """The map with one slot at another master."""
        return replace(self, moved={**self.moved, slot: address})

    def _address(self, slot: int) -> str:
        if slot in self.moved:
            return self.moved[slot]
        return next((address for first, last, address in self.ranges if first <= slot <= last), "")


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """Where a cluster is: some of its nodes as `host:port`, and what is the same for a connection to any of them."""

    nodes: tuple[str, ...]
    scheme: str
    credentials: str
    query: str

    def url(self, address: str) -> str:
        """One node as an URL of redis-py."""
        return f"{self.scheme}://{self.credentials}{address}/0{self.query}"


def read_cluster_url(url: str) -> ClusterPlace | None:
    """What `cluster://[user:password@]host:port,host:port` says, or `clusters://...?ssl_ca_certs=FILE` for TLS.

    None for an URL of another kind. Raises RedisUrlUnusable.
    """
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in _SCHEMES:
        return None
    place, query_mark, query = rest.partition("?")
    credentials, at, hosts = place.rstrip("/").rpartition("@")
    nodes = tuple(hosts.split(","))
    is_tls = scheme == "clusters"
    is_place = _CREDENTIALS.match(credentials) and all(map(_ADDRESS.match, nodes))
    if not is_place or not all(is_tls and _TLS.match(pair) for pair in query.split("&") if pair):
        raise RedisUrlUnusable(
            "a Redis Cluster is cluster://[user:password@]host:port,host:port, or clusters:// with TLS, and behind a "
            "question mark ssl_ca_certs=FILE, ssl_certfile=FILE and ssl_keyfile=FILE"
        )
    return ClusterPlace(nodes, _SCHEMES[scheme], credentials + at, query_mark + query)


def read_slots(reply: object, address: str) -> SlotMap:
    """What the node at `address` answers to CLUSTER SLOTS. Raises ValueError for what that cannot be."""
    ranges = []
    for entry in reply if isinstance(reply, list) else ():
        match entry:
            case [int(first), int(last), [bytes() | str() | None as host, int(port), *_], *_]:
                ranges.append((first, last, address_of(host, port, address)))
            case _:
                raise ValueError("not a range of slots and its master")
    if not ranges or any(not 0 <= first <= last < _SLOTS for first, last, _ in ranges):
        raise ValueError("no ranges of slots, or one beyond them")
    return SlotMap(tuple(ranges), {})


def address_of(host: bytes | str | None, port: int, teller: str) -> str:
    """A node as `host:port`, as the node at the address `teller` names it. Raises ValueError for what cannot be one."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    # where nodes do not say how they are reached, all are where that one is
    if not text or text == "?":
        text = urlsplit(f"//{teller}").hostname or ""
    full = f"[{text}]:{port}" if ":" in text else f"{text}:{port}"
    if not _ADDRESS.match(full):
        raise ValueError("not an address")
    return full
