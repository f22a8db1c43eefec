"""The Merkle tree over the lines of a log, as transparency logs have it (RFC 6962, section 2.1).

Leaf `i` is the line of record `i + 1`, its newline included. Of lines that were retired the tree knows what their
tombstone holds of it, the hashes of the largest whole subtrees: enough for the root, and for proofs about what stayed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

_HASH_BYTES = 32


class LinesRetired(Exception):
    """The proof is about lines that were retired."""


def hash_leaf(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The hash of what stands over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class MerkleTree:
    """A tree that grows at its end. `retired` leaves are known by `subtrees` alone: those of its whole subtrees, the
    largest first. Raises ValueError for another number of them.
    """

    def __init__(self, retired: int = 0, subtrees: Sequence[bytes] = ()) -> None:
        spans = list(_whole_spans(retired))
        if len(spans) != len(subtrees):
            raise ValueError(f"a tree of {retired} leaves has {len(spans)} whole subtrees")
        self._retired = retired
        self._known = dict(zip(spans, subtrees, strict=True))
        self._leaves = bytearray()

    @property
    def size(self) -> int:
        """How many leaves there are, the retired ones among them."""
        return self._retired + len(self._leaves) // _HASH_BYTES

    def add(self, entry: bytes) -> None:
        """Add a leaf."""
        self._leaves += hash_leaf(entry)

    def root(self) -> bytes:
        """The hash of the tree (MTH)."""
        return self._hash(0, self.size) if self.size else hashlib.sha256().digest()

    def subtrees(self) -> tuple[bytes, ...]:
        """The hashes of its largest whole subtrees, the largest first: by these the tree can be continued."""
        return tuple(self._hash(*span) for span in _whole_spans(self.size))

    def inclusion(self, index: int) -> list[bytes]:
        """The path from a leaf to the root (RFC 6962, section 2.1.1). Raises LinesRetired, ValueError for no leaf."""
        if not 0 <= index < self.size:
            raise ValueError(f"there is no leaf {index} in a tree of {self.size}")
        if index < self._retired:
            raise LinesRetired
        path: list[bytes] = []
        begin, end = 0, self.size
        while end - begin > 1:
            middle = begin + _half(end - begin)
            if index < middle:
                path.append(self._hash(middle, end))
                end = middle
            else:
                path.append(self._hash(begin, middle))
                begin = middle
        return path[::-1]

    def consistency(self, former: int) -> list[bytes]:
        """What shows that the tree of the first `former` leaves is the beginning of this one (section 2.1.2).

        Raises LinesRetired, ValueError for no such tree.
        """
        if not 0 < former <= self.size:
            raise ValueError(f"a tree of {former} leaves is no beginning of one of {self.size}")
        proof: list[bytes] = []
        begin, end, is_whole = 0, self.size, True
        while former < end:
            middle = begin + _half(end - begin)
            if former <= middle:
                proof.append(self._hash(middle, end))
                end = middle
            else:
                proof.append(self._hash(begin, middle))
                begin, is_whole = middle, False
        return proof[::-1] if is_whole else [self._hash(begin, end), *proof[::-1]]

    def _hash(self, begin: int, end: int) -> bytes:
        if (known := self._known.get((begin, end))) is not None:
            return known
        if end - begin == 1:
            if begin < self._retired:
                raise LinesRetired
            at = (begin - self._retired) * _HASH_BYTES
            return bytes(self._leaves[at : at + _HASH_BYTES])
        middle = begin + _half(end - begin)
        return hash_node(self._hash(begin, middle), self._hash(middle, end))


class TreeRoot:
    """The same tree where its root alone is asked for: it keeps one hash for each whole subtree.

    `size` leaves are known by `subtrees`, the largest first. Raises ValueError for another number of them.
    """

    def __init__(self, size: int, subtrees: Sequence[bytes]) -> None:
        if size.bit_count() != len(subtrees):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} whole subtrees")
        self._size = size
        self._subtrees = list(subtrees)

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return self._size

    def add(self, entry: bytes) -> None:
        """Add a leaf."""
        found, rest = hash_leaf(entry), self._size
        while rest & 1:
            found, rest = hash_node(self._subtrees.pop(), found), rest >> 1
        self._subtrees.append(found)
        self._size += 1

    def root(self) -> bytes:
        """The hash of the tree (MTH)."""
        if not self._subtrees:
            return hashlib.sha256().digest()
        *others, found = self._subtrees
        for subtree in reversed(others):
            found = hash_node(subtree, found)
        return found


def _half(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


def _whole_spans(size: int) -> Iterator[tuple[int, int]]:
    begin = 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            yield begin, begin + (1 << bit)
            begin += 1 << bit
