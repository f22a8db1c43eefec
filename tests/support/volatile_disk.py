"""A file system that forgets at a power cut what was not synced, for tests: `python -m tests.support.volatile_disk DIR`.

It is stricter than most disks: `fsync` of a file keeps its bytes and not its name, `fsync` of a folder its names and not
their bytes. At a cut (the attribute `user.power-cut` of its root is set to a seed) each block of 512 bytes that was written since is there or is not, a file is as long
as it was, as it is, or anything between; of the changes of a folder the first few happened, in their order. It lives in
memory, so the cut is no more than that: what the computer holds in caches is gone, and who wrote must be dead before.
"""

from __future__ import annotations

import errno
import os
import random
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import mfusepy

_BLOCK = 512
_CUT = "user.power-cut"


@dataclass(eq=False)
class Node:
    """A file, or a folder with `names`: as it is read now, and as it is on the disk."""

    mode: int
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    names: dict[str, Node] = field(default_factory=dict)
    kept: dict[str, Node] = field(default_factory=dict)
    changes: list[Callable[[dict[str, Node]], object]] = field(default_factory=list)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)

    def change(self, change: Callable[[dict[str, Node]], object]) -> None:
        """Change the names, now in memory and some day on the disk."""
        change(self.names)
        self.changes.append(change)

    def sync(self) -> None:
        """Bring to the disk what it holds by itself."""
        self.synced = bytes(self.data)
        self.kept, self.changes = dict(self.names), []

    def cut(self, chance: random.Random) -> None:
        """Be what a cut leaves."""
        self.data = bytearray(_left(self.synced, self.data, chance))
        for change in self.changes[: chance.randint(0, len(self.changes))]:
            change(self.kept)
        self.names = dict(self.kept)
        self.sync()


def _left(synced: bytes, written: bytearray, chance: random.Random) -> bytes:
    """The bytes of a file after a cut."""
    if synced == written:
        return synced
    size = chance.choice([len(synced), len(written), chance.randint(*sorted((len(synced), len(written))))])
    left = bytearray(synced[:size].ljust(size, b"\0"))
    for at in range(0, min(size, len(written)), _BLOCK):
        if chance.random() < 0.5:
            end = min(at + _BLOCK, size, len(written))
            left[at:end] = written[at:end]
    return bytes(left)


class VolatileDisk(mfusepy.Operations):
    """The operations of the file system."""

    use_ns = True

    def __init__(self) -> None:
        self._root = Node(stat.S_IFDIR | 0o700)
        self._open: dict[int, Node] = {}
        self._next = 1

    def setxattr(self, path: str, name: str, value: bytes, options: int, position: int = 0) -> int:
        if (path, name) != ("/", _CUT):
            raise mfusepy.FuseOSError(errno.ENOTSUP)
        chance = random.Random(int(value))  # noqa: S311  # it picks what is lost, and no secret
        nodes = [self._root]
        while nodes:
            node = nodes.pop()
            node.cut(chance)
            nodes += node.names.values()
        self._open.clear()
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        node = self._open[fh] if fh else self._node(path)
        owner = {"st_uid": os.getuid(), "st_gid": os.getgid()}
        return {"st_mode": node.mode, "st_size": len(node.data), "st_nlink": 1, "st_ino": id(node), **owner}

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *self._node(path).names]

    def mkdir(self, path: str, mode: int) -> int:
        self._add(path, Node(stat.S_IFDIR | mode))
        return 0

    def create(self, path: str, mode: int, fi: object = None) -> int:
        node = Node(stat.S_IFREG | (mode & 0o777))
        self._add(path, node)
        return self._opened(node)

    def open(self, path: str, flags: int) -> int:
        node = self._node(path)
        if flags & os.O_TRUNC:
            node.data = bytearray()
        return self._opened(node)

    def release(self, path: str, fh: int) -> int:
        self._open.pop(fh, None)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return bytes(self._open[fh].data[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        written = self._open[fh].data
        if len(written) < offset:
            written.extend(b"\0" * (offset - len(written)))
        written[offset : offset + len(data)] = data
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        data = (self._open[fh] if fh else self._node(path)).data
        data[:] = data[:length].ljust(length, b"\0")
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        self._open[fh].sync()
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        self._node(path).sync()
        return 0

    def unlink(self, path: str) -> int:
        folder, name = self._place(path)
        folder.change(lambda names: names.pop(name, None))
        return 0

    def link(self, target: str, source: str) -> int:
        self._add(target, self._node(source))
        return 0

    def rename(self, old: str, new: str) -> int:
        node = self._node(old)
        (source, former), (folder, name) = self._place(old), self._place(new)
        if source is not folder:
            raise mfusepy.FuseOSError(errno.EXDEV)  # a step in two folders has no order here

        def change(names: dict[str, Node]) -> None:
            names.pop(former, None)
            names[name] = node

        folder.change(change)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        node = self._node(path)
        node.mode = stat.S_IFMT(node.mode) | (mode & 0o777)
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return 0

    def _node(self, path: str) -> Node:
        node = self._root
        for name in filter(None, path.split("/")):
            if name not in node.names:
                raise mfusepy.FuseOSError(errno.ENOENT)
            node = node.names[name]
        return node

    def _place(self, path: str) -> tuple[Node, str]:
        folder, _, name = path.rpartition("/")
        return self._node(folder), name

    def _add(self, path: str, node: Node) -> None:
        folder, name = self._place(path)
        if name in folder.names:
            raise mfusepy.FuseOSError(errno.EEXIST)
        folder.change(lambda names: names.__setitem__(name, node))

    def _opened(self, node: Node) -> int:
        self._next += 1
        self._open[self._next] = node
        return self._next


if __name__ == "__main__":
    mfusepy.FUSE(
        VolatileDisk(),
        sys.argv[1],
        foreground=True,
        nothreads=True,
        direct_io=True,
        attr_timeout=0,
        entry_timeout=0,
        negative_timeout=0,
        default_permissions=True,
    )
