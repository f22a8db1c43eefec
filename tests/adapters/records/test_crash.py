from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import aegis_authz
from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ACKNOWLEDGED_FIRST = 300

WRITER = """
import asyncio, os, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord

async def load(log, lane):
    number = 0
    while True:
        name = f"{sys.argv[2]}-{lane:02d}-{number:06d}"
        await log.append(RedactionRecord(name, 1.0, "request", {"x": number}, "done" * 20))
        os.write(1, name.encode() + b"\\n")
        number += 1

async def main():
    key = Ed25519PrivateKey.from_private_bytes(b"\\x07" * 32)
    log = FileRecordLog(Path(sys.argv[1]), "w", key, SystemClock(), max_file_bytes=20000)
    await log.start()
    await asyncio.gather(*(load(log, lane) for lane in range(32)))

asyncio.run(main())
"""


def killed_under_load(folder: Path, run: int, first: int = ACKNOWLEDGED_FIRST) -> list[str]:
    """Let a writer work, kill it once `first` records are durable, and return what it said was durable."""
    environment = {**os.environ, "PYTHONPATH": str(Path(aegis_authz.__file__).parents[1])}
    command = [sys.executable, "-c", WRITER, str(folder), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(first)]
        writer.send_signal(signal.SIGKILL)
        said += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [name.strip() for name in said if name.endswith("\n")]


async def test_a_killed_writer_loses_nothing_it_answered_for(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    acknowledged = [name for run in range(3) for name in killed_under_load(folder, run)]
    assert len(acknowledged) >= 3 * ACKNOWLEDGED_FIRST
    await require_all(folder, acknowledged)


@pytest.mark.slow
async def test_a_writer_killed_again_and_again_at_random_points_loses_nothing_either(
    tmp_path: Path,
) -> None:
    folder, chance = tmp_path / "w", random.Random(19)  # noqa: S311  # it picks moments, and no secret
    acknowledged: list[str] = []
    for run in range(500):
        acknowledged += killed_under_load(folder, run, chance.randrange(0, 200))
    await require_all(folder, acknowledged)


async def require_all(folder: Path, acknowledged: list[str]) -> None:
    """Start the writer once more: its log must be whole and hold what was answered for."""
    async with FileRecordLog(folder, "w", KEY, SystemClock()) as log:
        await log.append(RedactionRecord("after", 2.0, "request", {}, "done"))
    (report,) = verify_folder(folder, [KEY.public_key().public_bytes_raw()])
    assert report.is_intact, report.damages
    lines = b"".join(path.read_bytes() for path in folder.glob("*.jsonl"))
    assert [name for name in acknowledged if f'"{name}"'.encode() not in lines] == []
    lines = [line.raw for log in log_files(folder) for line in log.oldest_first()]
    assert sum(b'"after"' in line for line in lines) == 1
