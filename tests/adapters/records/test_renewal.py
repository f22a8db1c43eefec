"""A log across a change of its key: proven by whoever has both, gone on with by no foreign key, never rolled back."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis_authz.adapters.files.keys import load_ed25519, open_keys
from aegis_authz.adapters.files.record_keys import RecordKeyFile, RecordKeyRing
from aegis_authz.adapters.records.files import log_files, verify_folder
from aegis_authz.adapters.records.keys import load_public_keys
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.records.recovery import SLOTS, LogAltered
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.record import KeyRecord, RedactionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import encode_record, link, read_link, read_record
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint
from aegis_authz.evidence.succession import sign_succession

FOREIGN = Ed25519PrivateKey.from_private_bytes(b"f" * 32)


def raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


class Mesh:
    """A state folder with keys, and writers of it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        open_keys(state / "keys")
        self.ring = RecordKeyRing(state / "keys")

    @property
    def records(self) -> Path:
        return self.state / "records"

    @property
    def keys(self) -> tuple[bytes, ...]:
        return load_public_keys(self.state / "keys" / "records.pub.json")

    def rotate(self) -> Ed25519PrivateKey:
        """Replace the key; returns the one before, which whoever stole it would have."""
        former = load_ed25519(self.state / "keys" / "records.pem")
        self.ring.prepare()
        self.ring.switch(Epoch(0))
        return former

    def log(self, writer: str = "w") -> FileRecordLog:
        keys = RecordKeyFile(self.state / "keys" / "records.pem")
        return FileRecordLog(self.records / writer, writer, keys.current.key, SystemClock(), renewal=keys)

    async def write(self, count: int = 3, writer: str = "w") -> None:
        async with self.log(writer) as log:
            await append(log, count)

    def troubles(self, keys: tuple[bytes, ...] | None = None) -> list[str]:
        reports = verify_folder(self.records, keys or self.keys)
        return [damage.what for report in reports for damage in report.damages]

    def kinds(self, writer: str = "w") -> list[str]:
        (log,) = (log for log in log_files(self.records) if log.folder.name == writer)
        return [type(read_record(line.raw)).__name__ for line in log.oldest_first()]


async def append(log: FileRecordLog, count: int) -> None:
    for number in range(count):
        await log.append(RedactionRecord(f"d-{number}", 1.0, "request", {}, "done"))


@pytest.fixture
def mesh(tmp_path: Path) -> Mesh:
    return Mesh(tmp_path / "mesh")


async def test_a_running_writer_goes_on_with_the_next_key_and_both_keys_prove_the_whole(mesh: Mesh) -> None:
    async with mesh.log() as log:
        await append(log, 3)
        mesh.rotate()
        async with asyncio.timeout(10):
            while "KeyRecord" not in mesh.kinds():  # an idle writer looks every second
                await asyncio.sleep(0.05)
        await append(log, 2)
    (report,) = verify_folder(mesh.records, mesh.keys)
    assert (report.is_intact, report.records, report.sealed, report.notes) == (True, 6, 6, ())
    assert report.key_ids == tuple(thumbprint(key) for key in reversed(mesh.keys))
    assert mesh.kinds() == ["RedactionRecord"] * 3 + ["KeyRecord"] + ["RedactionRecord"] * 2


async def test_a_writer_that_was_away_through_two_changes_takes_both_steps(mesh: Mesh) -> None:
    await mesh.write()
    mesh.rotate()
    mesh.rotate()
    await mesh.write()
    assert mesh.kinds() == ["RedactionRecord"] * 3 + ["KeyRecord"] * 2 + ["RedactionRecord"] * 3
    assert mesh.troubles() == []
    assert mesh.troubles(mesh.keys[:1]) != []
    assert mesh.troubles(mesh.keys[1:]) != []
    assert mesh.troubles((mesh.keys[0], mesh.keys[2])) != []


async def test_every_flipped_byte_of_a_log_with_a_change_of_key_is_seen(mesh: Mesh) -> None:
    await mesh.write(1)
    mesh.rotate()
    await mesh.write(1)
    path = mesh.records / "w" / "00000001.jsonl"
    whole = path.read_bytes()
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        assert mesh.troubles() != [], position
    path.write_bytes(whole)
    assert mesh.troubles() == []


async def test_who_stole_the_former_key_can_neither_roll_back_nor_go_on(mesh: Mesh) -> None:
    await mesh.write()
    before = mesh.state.parent / "before"
    shutil.copytree(mesh.records / "w", before)
    former = mesh.rotate()
    await mesh.write()
    kept = mesh.state.parent / "kept"
    shutil.copytree(mesh.records / "w", kept)

    shutil.rmtree(mesh.records / "w")
    shutil.copytree(before, mesh.records / "w")  # sealed by the former key, whole in itself
    assert any("rolled back" in trouble for trouble in mesh.troubles())

    shutil.rmtree(mesh.records / "w")
    shutil.copytree(kept, mesh.records / "w")
    extend(mesh.records / "w", former, encode_record(RedactionRecord("forged", 1.0, "request", {}, "done")))
    assert any("seals another part" in trouble for trouble in mesh.troubles())


async def test_a_foreign_key_goes_on_with_no_log_even_when_it_vouches_for_itself(mesh: Mesh) -> None:
    await mesh.write()
    for voucher in (FOREIGN, load_ed25519(mesh.state / "keys" / "records.pem")):
        folder = mesh.state.parent / raw(voucher).hex()
        shutil.copytree(mesh.state, folder)
        step = sign_succession(voucher, raw(FOREIGN))
        line = encode_record(KeyRecord(1.0, thumbprint(raw(FOREIGN)), step.note))
        extend(folder / "records" / "w", FOREIGN, line)
        assert Mesh(folder).troubles() != []


async def test_a_key_that_nobody_vouches_for_is_not_taken_while_running_and_stops_a_start(
    mesh: Mesh, caplog: pytest.LogCaptureFixture
) -> None:
    pem = FOREIGN.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own = mesh.state / "keys" / "records.pem"
    async with mesh.log() as log:
        await append(log, 1)
        keys = mesh.keys
        beside = own.with_name("beside")
        beside.write_bytes(pem)
        beside.chmod(0o600)
        os.replace(beside, own)
        async with asyncio.timeout(10):
            while "no succession leads to it" not in caplog.text:
                await asyncio.sleep(0.05)
        await append(log, 1)
    assert mesh.troubles(keys) == []
    with pytest.raises(LogAltered, match="cannot be continued"):
        await mesh.log().start()


async def test_a_log_that_is_gone_is_missed_by_the_next_key_too_and_not_begun_anew(mesh: Mesh) -> None:
    await mesh.write(1, "a")
    await mesh.write(1, "b")
    mesh.rotate()
    await mesh.write(1, "a")
    assert mesh.troubles() == []  # b ended under the former key, and that is no fault
    shutil.rmtree(mesh.records / "b")
    (former,) = mesh.records.glob(f"roster-{_roster_id(mesh.keys[1])}.note")
    former.unlink()
    assert any("the whole log is missing" in trouble for trouble in mesh.troubles())
    with pytest.raises(LogAltered, match="the log of b is gone"):
        await mesh.log("b").start()


async def test_a_change_that_was_interrupted_before_its_seal_is_made_again(mesh: Mesh) -> None:
    await mesh.write()
    notes = {slot: (mesh.records / "w" / slot).read_bytes() for slot in SLOTS}
    mesh.rotate()
    async with mesh.log():
        pass
    for slot, note in notes.items():
        (mesh.records / "w" / slot).write_bytes(note)  # the line is there, and no seal of the next key
    await mesh.write(1)
    assert mesh.kinds()[3:] == ["KeyRecord", "CutRecord", "RedactionRecord"]
    assert mesh.troubles() == []


async def test_a_seal_of_which_only_the_first_copy_was_written_is_enough(mesh: Mesh) -> None:
    await mesh.write()
    note = (mesh.records / "w" / SLOTS[1]).read_bytes()
    mesh.rotate()
    async with mesh.log():
        pass
    (mesh.records / "w" / SLOTS[1]).write_bytes(note)
    assert mesh.troubles() == []
    await mesh.write(1)
    assert mesh.troubles() == []


def _roster_id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]


def extend(folder: Path, key: Ed25519PrivateKey, record: bytes) -> None:
    """Add a record to a log and seal it with this key, as its owner could."""
    path = folder / "00000001.jsonl"
    last = read_link(path.read_bytes().splitlines(keepends=True)[-1])
    line, head = link(last.writer, last.seq + 1, last.stated, record)
    path.write_bytes(path.read_bytes() + line)
    note = sign_checkpoint(Checkpoint(last.writer, last.seq + 1, head), key, raw(key))
    for slot in SLOTS:
        (folder / slot).write_bytes(note)
