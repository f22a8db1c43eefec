from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.adapters.records.following import LogFollower
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord
from aegis_authz.evidence.chain import read_record

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


async def grow(folder: Path, *ids: str) -> None:
    async with FileRecordLog(folder, folder.name, KEY, SystemClock(), max_file_bytes=1000) as log:
        for decision_id in ids:
            await log.append(RedactionRecord(decision_id, 1.0, "request", {"x": 1}, "done"))


def new_ids(follower: LogFollower) -> list[str]:
    records = [read_record(line.raw) for line in follower.new_lines()]
    return [record.decision_id for record in records if isinstance(record, RedactionRecord)]


async def test_what_is_appended_is_read_once_over_files_and_logs(tmp_path: Path) -> None:
    await grow(tmp_path / "authz-0", "before")
    follower = LogFollower(tmp_path)
    assert new_ids(follower) == []
    many = [f"n-{number}" for number in range(20)]  # more than one file holds
    await grow(tmp_path / "authz-0", *many)
    await grow(tmp_path / "authz-1", "of another writer")
    assert new_ids(follower) == [*many, "of another writer"]
    assert new_ids(follower) == []


async def test_a_line_that_is_not_ended_is_read_when_it_is(tmp_path: Path) -> None:
    await grow(tmp_path / "authz-0", "first")
    follower = LogFollower(tmp_path)
    await grow(tmp_path / "authz-0", "second")
    [path] = (tmp_path / "authz-0").glob("*.jsonl")
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    assert new_ids(follower) == []
    path.write_bytes(whole)
    assert [(line.file, line.number) for line in follower.new_lines()] == [(f"{tmp_path.name}/authz-0/{path.name}", 2)]


def test_a_folder_without_logs_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoRecords, match="holds no record log"):
        LogFollower(tmp_path)
