"""What shipping relies on, held by the fake in memory and by a real server whose objects lock."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.adapters.s3 import S3Store
from aegis_authz.config.shipping import ShippingSettings
from aegis_authz.core.units import Epoch
from aegis_authz.ports.object_store import (
    ObjectLock,
    ObjectMissing,
    ObjectStore,
    ObjectTaken,
    ObjectTooLarge,
    StoreUnavailable,
)
from tests.support.memory_bucket import MemoryBucket
from tests.support.real_s3 import S3Server, s3

__all__ = ["s3"]


@pytest.fixture(params=["memory", pytest.param("seaweedfs", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "memory":
        yield MemoryBucket()
        return
    server: S3Server = request.getfixturevalue("s3")
    yield S3Store(
        ShippingSettings.model_validate(
            {
                "bucket": server.bucket(),
                "prefix": "",
                "endpoint": server.endpoint,
                "retention": {"mode": "COMPLIANCE", "days": 2},
                "credentials": server.credentials(tmp_path),
            }
        )
    )


@pytest.fixture
def lock() -> ObjectLock:
    return ObjectLock("COMPLIANCE", Epoch(int(time.time()) + 2 * 86_400))


def a_file(folder: Path, content: bytes) -> tuple[Path, str]:
    (folder / "body").write_bytes(content)
    return folder / "body", hashlib.sha256(content).hexdigest()


def test_an_object_comes_back_with_its_checksum_and_its_lock(
    store: ObjectStore, tmp_path: Path, lock: ObjectLock
) -> None:
    store.require_lock()
    file, digest = a_file(tmp_path, b"line\n" * 1000)
    version = store.put("a/1", file, digest, lock)
    state = store.state("a/1", version)
    assert (state.size, state.sha256, state.lock) == (5000, digest, lock)
    store.read("a/1", version, tmp_path / "back", 1_000_000)
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    store.read("a/1", version, tmp_path / "exactly", 5000)
    with pytest.raises(ObjectTooLarge):
        store.read("a/1", version, tmp_path / "short", 4999)
    assert (tmp_path / "short").stat().st_size <= 4999


def test_an_object_that_is_there_is_not_written_over(store: ObjectStore, tmp_path: Path, lock: ObjectLock) -> None:
    version = store.put("a/1", *a_file(tmp_path, b"first"), lock)
    with pytest.raises(ObjectTaken):
        store.put("a/1", *a_file(tmp_path, b"second"), lock)
    assert [found.version for found in store.versions("a/")] == [version]


def test_bytes_that_are_not_those_of_the_checksum_are_refused(
    store: ObjectStore, tmp_path: Path, lock: ObjectLock
) -> None:
    file, _ = a_file(tmp_path, b"first")
    with pytest.raises(StoreUnavailable):
        store.put("a/1", file, "00" * 32, lock)
    assert list(store.versions("")) == []


def test_versions_are_listed_by_key_under_a_prefix(store: ObjectStore, tmp_path: Path, lock: ObjectLock) -> None:
    for key in ("b/2", "a/1", "b/1"):
        store.put(key, *a_file(tmp_path, key.encode()), lock)
    found = list(store.versions("b/"))
    assert [(version.key, version.is_newest, version.is_removal) for version in found] == [
        ("b/1", True, False),
        ("b/2", True, False),
    ]


def test_a_version_that_is_not_there_is_missing(store: ObjectStore, tmp_path: Path, lock: ObjectLock) -> None:
    version = store.put("a/1", *a_file(tmp_path, b"first"), lock)
    with pytest.raises(ObjectMissing):
        store.state("a/2", version)
    with pytest.raises(ObjectMissing):
        store.read("a/2", version, tmp_path / "back", 1_000_000)
