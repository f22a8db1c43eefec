"""Power cuts: what an authorizer answered for is on the disk, whatever of the rest is lost."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

from aegis_authz.adapters.records.files import verify_folder
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import RedactionRecord
from aegis_authz.durable import sync_folder
from tests.adapters.records.test_crash import KEY, killed_under_load, require_all

ROOT = Path(__file__).parents[3]
UNMOUNT = shutil.which("fusermount3")
needs_fuse = pytest.mark.skipif(
    not os.access("/dev/fuse", os.W_OK) or UNMOUNT is None or find_library("fuse3") is None,
    reason="no FUSE on this machine: power cuts are NOT tested (apt-get install fuse3, as root)",
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Where a disk is mounted that forgets what was not synced."""
    mount = tmp_path / "disk"
    mount.mkdir()
    process = subprocess.Popen([sys.executable, "-m", "tests.support.volatile_disk", str(mount)], cwd=ROOT)
    try:
        asyncio.run(_mounted(mount, process))
        yield mount
    finally:
        subprocess.run([str(UNMOUNT), "-u", str(mount)], check=False)
        process.send_signal(signal.SIGTERM)
        process.wait(10)


async def _mounted(mount: Path, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(30):
        while not mount.is_mount():  # another process mounts it
            assert process.poll() is None
            await asyncio.sleep(0.01)


def power_cut(mount: Path, seed: int) -> None:
    """Cut the power of the disk mounted there, and give it back; the seed says what was lost."""
    os.setxattr(mount, "user.power-cut", str(seed).encode())


@needs_fuse
def test_the_disk_forgets_what_was_not_synced_and_nothing_else(disk: Path) -> None:
    survivors, tails = set(), set()
    for seed in range(16):
        synced, unsynced = disk / f"synced-{seed}", disk / f"unsynced-{seed}"
        with synced.open("wb", buffering=0) as file:
            file.write(b"kept" * 1000)
            os.fsync(file.fileno())
            sync_folder(disk)
            file.write(b"lost" * 1000)
        unsynced.write_bytes(b"lost")
        power_cut(disk, seed)
        content = synced.read_bytes()
        assert content[:4000] == b"kept" * 1000
        tails.add(content[4000:])
        survivors.add(unsynced.exists())
    assert survivors == {True, False}
    assert len(tails) > 4


@needs_fuse
@pytest.mark.parametrize("cuts", [3, pytest.param(60, marks=pytest.mark.slow)])
def test_after_power_cuts_no_record_is_lost_that_was_answered_for(disk: Path, cuts: int) -> None:
    folder, chance = disk / "w", random.Random(19)  # noqa: S311  # it picks moments, and no secret
    acknowledged: list[str] = []
    for run in range(cuts):
        acknowledged += killed_under_load(folder, run, chance.randrange(0, 150))
        power_cut(disk, run)
        if run % 10 == 0:
            asyncio.run(_require_whole(folder, acknowledged))
    asyncio.run(require_all(folder, acknowledged))


async def _require_whole(folder: Path, acknowledged: list[str]) -> None:
    """Begin to write, as after any start: the log must be whole and hold what was answered for."""
    async with FileRecordLog(folder, "w", KEY, SystemClock()) as log:
        await log.append(RedactionRecord("between", 2.0, "request", {}, "done"))
    (report,) = verify_folder(folder, [KEY.public_key().public_bytes_raw()])
    assert report.is_intact, report.damages
    lines = b"".join(path.read_bytes() for path in folder.glob("*.jsonl"))
    assert [name for name in acknowledged if f'"{name}"'.encode() not in lines] == []
