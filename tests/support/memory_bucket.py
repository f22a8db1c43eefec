"""A fake of storage whose objects lock, in memory: what `ports.ObjectStore` promises, and hands for tests to tamper with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from aegis_authz.ports.object_store import (
    ObjectLock,
    ObjectMissing,
    ObjectState,
    ObjectTaken,
    ObjectTooLarge,
    ObjectVersion,
    StoreUnavailable,
)


@dataclass
class Version:
    name: str
    content: bytes | None
    lock: ObjectLock | None


@dataclass
class MemoryBucket:
    """A bucket by name; `fail_after` puts so many objects and then answers no more."""

    name: str = "s3://memory"
    locks: bool = True
    keeps_checksums: bool = True
    fail_after: int | None = None
    objects: dict[str, list[Version]] = field(default_factory=dict)

    def require_lock(self) -> None:
        if not self.locks:
            raise StoreUnavailable(f"{self.name} locks no objects")

    def put(self, key: str, file: Path, sha256: str, lock: ObjectLock) -> str:
        content = file.read_bytes()
        if self.fail_after is not None and self.fail_after <= 0:
            raise StoreUnavailable(f"{self.name} does not answer")
        if self.objects.get(key) and self.objects[key][-1].content is not None:
            raise ObjectTaken
        if hashlib.sha256(content).hexdigest() != sha256:
            raise StoreUnavailable(f"{self.name}: BadDigest")
        if self.fail_after is not None:
            self.fail_after -= 1
        return self.write(key, content, lock)

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        for key, versions in sorted(self.objects.items()):
            if key.startswith(prefix):
                for version in reversed(versions):
                    yield ObjectVersion(key, version.name, version is versions[-1], version.content is None)

    def state(self, key: str, version: str) -> ObjectState:
        found = self._version(key, version)
        assert found.content is not None
        digest = hashlib.sha256(found.content).hexdigest() if self.keeps_checksums else ""
        return ObjectState(len(found.content), digest, found.lock)

    def read(self, key: str, version: str, target: Path, most: int) -> None:
        content = self._version(key, version).content
        assert content is not None
        if len(content) > most:
            target.write_bytes(content[:most])
            raise ObjectTooLarge
        target.write_bytes(content)

    def write(self, key: str, content: bytes | None, lock: ObjectLock | None = None) -> str:
        """A new version on top, as whoever may write there makes it; None is a marker of a removal."""
        versions = self.objects.setdefault(key, [])
        versions.append(Version(f"v{len(versions) + 1}", content, lock))
        return versions[-1].name

    def _version(self, key: str, name: str) -> Version:
        for version in self.objects.get(key, []):
            if version.name == name and version.content is not None:
                return version
        raise ObjectMissing
