"""Leaves that were made already: one a host, until half of its life is over."""

from __future__ import annotations

from collections import OrderedDict, deque

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.intercept.authority import LEAF_LIFE, Authority, Leaf


class Leaves:
    """The newest `most` leaves of one authority. Another authority begins with none."""

    def __init__(self, most: int, life: Seconds = LEAF_LIFE) -> None:
        self._most = most
        self._life = life
        self._signer = ""
        self._leaves: OrderedDict[str, Leaf] = OrderedDict()

    def __len__(self) -> int:
        return len(self._leaves)

    def leaf(self, authority: Authority, name: str, now: Epoch) -> Leaf:
        """The leaf of a host, made now where none is or its renewal is due. Raises NotCertified."""
        if authority.fingerprint != self._signer:
            self._leaves.clear()
            self._signer = authority.fingerprint
        leaf = self._leaves.get(name)
        if leaf is None or now >= leaf.renewal:
            leaf = self._leaves[name] = authority.mint(name, now, self._life)
            if len(self._leaves) > self._most:
                self._leaves.popitem(last=False)
        self._leaves.move_to_end(name)
        return leaf


class Allowance:
    """How many names that clients choose may get a certificate: `most` in all, `per_minute` in any minute.

    Envoy keeps each such name until it ends, and has no bound of its own.
    """

    def __init__(self, most: int, per_minute: int) -> None:
        self._most = most
        self._per_minute = per_minute
        self._names: set[str] = set()
        self._recent: deque[Epoch] = deque()

    def take(self, name: str, now: Epoch) -> bool:
        """Whether the name may have one now; a name that had one before may again."""
        if name in self._names:
            return True
        while self._recent and self._recent[0] <= now - 60.0:
            self._recent.popleft()
        if len(self._names) >= self._most or len(self._recent) >= self._per_minute:
            return False
        self._names.add(name)
        self._recent.append(now)
        return True
