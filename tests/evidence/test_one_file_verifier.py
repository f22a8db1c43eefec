"""The verifier in one file and `aegis audit verify` agree on every tampering, and both find and name it."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aegis_authz.adapters.records.compression import compress_log
from aegis_authz.adapters.records.encrypted import EncryptedFile
from aegis_authz.adapters.records.encrypting import encrypt_log
from aegis_authz.adapters.records.files import load_anchors, load_expected, log_files, newest_notes, verify_folder
from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.keyring import VARIABLE, FileKey, make_key_file
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.retention import log_plan, retire
from aegis_authz.adapters.records.tombstones import TOMBSTONE
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.evidence.chain import encode_record, read_link
from aegis_authz.evidence.checkpoint import Checkpoint, SignedByAnother, read_checkpoint
from aegis_authz.evidence.encryption import sign_encryption
from aegis_authz.evidence.retention import RetentionRule
from aegis_authz.evidence.succession import sign_succession
from aegis_authz.evidence.tombstone import read_tombstone, sign_tombstone

TOOL = Path(__file__).parents[2] / "tools" / "verify_records.py"
FIRST, SECOND, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (7, 8, 9))
KEYS = [key.public_key().public_bytes_raw() for key in (FIRST, SECOND)]
BEFORE = RecordKey(FIRST, ())
SUCCEEDED = RecordKey(SECOND, (sign_succession(FIRST, KEYS[1]),))
WRITERS = ("authz-0", "authz-1", "control")
RETIRED = ("authz-0", "control")
"""Of whose logs the oldest segments were retired, twice."""
ENCRYPTED = "encrypted"
"""A log whose sealed segments are encrypted; no verifier is given the key where a test does not say so."""
SMALL = 900
"""Bytes: some three records a file."""


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_records", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


TOOLS = _tool()


def grow(folder: Path, key: RecordKey, numbers: range) -> None:
    """Add records to a log, as its writer does."""
    log = RecordFolder(folder, folder.name, key, SMALL)
    log.take_lock()
    log.open(Epoch(1000.0))
    for number in numbers:
        record = RedactionRecord(f"0190-{number:04d}", 1000.0 + number, "request", {"us_ssn": number}, "done")
        log.commit([encode_record(record)], Epoch(1000.0 + number))
    log.close()


def retire_oldest(folder: Path) -> None:
    """Retire the first segment, as `aegis audit retain` does."""
    plan = log_plan(folder, KEYS, RetentionRule(1e10, None), 1_000_000)
    only = replace(plan, extents=plan.extents[:1])
    retire(folder, KEYS, only, SECOND if folder.name != "control" else FIRST, Epoch(2000.0))


def sealed(note: bytes) -> Checkpoint:
    for key in KEYS:
        with suppress(SignedByAnother):
            return read_checkpoint(note, key)
    raise AssertionError("a foreign key")


def anchor(file: Path, records: Path) -> None:
    """Keep where the logs stand."""
    lines = file.read_bytes().splitlines() if file.exists() else []
    number, previous = len(lines), json.loads(lines[-1])["hash"] if lines else FIRST_PREVIOUS
    notes = newest_notes(records, KEYS)
    for log in log_files(records):
        first, note = read_link(next(log.oldest_first()).raw).computed.hex(), notes[log.folder.name]
        head = Head("gw-0", log.folder.name, first, sealed(note).size, note.decode("utf-8"))
        made = Anchor.after(number, previous, Epoch(1000.0), head)
        with file.open("ab") as target:
            target.write(encode_anchor(made))
        number, previous = made.number, made.hash


@dataclass(frozen=True)
class Case:
    """Records in one folder, beside their anchors; in `others`, older, forked and foreign ones, to read alone."""

    place: Path
    others: Path

    @property
    def records(self) -> Path:
        return self.place / "records"

    @property
    def anchors(self) -> Path:
        return self.place / "anchors.jsonl"

    def unproven(self) -> set[str]:
        """Whose logs `aegis audit verify` does not prove."""
        reports = verify_folder(self.records, KEYS, anchors=load_anchors(self.anchors, KEYS))
        return {report.writer for report in reports if not report.is_intact}

    def unproven_with_the_key(self) -> set[str]:
        """The same where the key of what is encrypted is given."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, f"file:{self.others / 'kek'}")
            return self.unproven()

    def unproven_by_the_file(self, verify: Callable[[bytes, bytes, bytes], bool] | None = None) -> set[str]:
        """Whose logs the verifier in one file does not prove."""
        anchors, faults = TOOLS.read_anchors(self.anchors, [])
        verifier = TOOLS.Verifier(KEYS, verify or TOOLS._library_verify())
        return {log.writer for log in verifier.folder(self.records, [], anchors, faults) if not log.is_proven}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """Three logs, each of several files, two of which went on with another key; anchored halfway and at their end."""
    place = tmp_path_factory.mktemp("whole")
    case = Case(place, place)
    for writer in (*WRITERS, ENCRYPTED):
        grow(case.records / writer, BEFORE, range(4))
    anchor(case.anchors, case.records)
    shutil.copytree(case.records, case.place / "old")
    for writer in WRITERS:
        grow(case.records / writer, SUCCEEDED if writer != "control" else BEFORE, range(4, 16))
    assert list(compress_log(case.records / "authz-1"))
    grow(case.records / ENCRYPTED, SUCCEEDED, range(4, 16))
    anchor(case.anchors, case.records)
    make_key_file(place / "kek")
    assert len(list(encrypt_log(case.records / ENCRYPTED, KEYS, FileKey(place / "kek"), SECOND))) > 3
    for writer in RETIRED:
        retire_oldest(case.records / writer)
        shutil.copy(case.records / writer / TOMBSTONE, case.place / f"{writer}-before.note")
        retire_oldest(case.records / writer)
    shutil.copytree(case.place / "old", case.place / "fork")
    for writer in WRITERS:
        grow(case.place / "fork" / writer, SUCCEEDED if writer != "control" else BEFORE, range(20, 27))
    for writer in WRITERS:
        grow(case.place / "foreign" / writer, RecordKey(STRANGER, ()), range(9))
    return case


def copied(whole: Case, place: Path) -> Case:
    """What may be tampered with, in a folder of its own."""
    shutil.copytree(whole.records, place / "records")
    shutil.copy(whole.anchors, place)
    return Case(place, whole.place)


@pytest.fixture
def case(whole: Case, tmp_path: Path) -> Case:
    return copied(whole, tmp_path)


def segments(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.jsonl"), *folder.glob("*.jsonl.gz")])


def content_of(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def put(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def lines(folder: Path) -> list[tuple[Path, int]]:
    return [(path, at) for path in segments(folder) for at in range(len(content_of(path).splitlines()))]


def rewrite(path: Path, change: Callable[[list[bytes]], Sequence[bytes]]) -> None:
    put(path, b"".join(change(content_of(path).splitlines(keepends=True))))


def flip(case: Case, draw: Callable[[int], int]) -> str:
    """Another bit in a line, a checkpoint, a roster or an anchor."""
    files = [
        case.anchors,
        *sorted(path for name in ("*.jsonl", "*.gz", "*.enc", "*.note") for path in case.records.rglob(name)),
    ]
    path = files[draw(len(files))]
    content = bytearray(path.read_bytes())
    content[draw(len(content))] ^= 1 << draw(8)
    with suppress(OSError, EOFError, zlib.error):  # it expands no more
        if path.suffix == ".gz":
            assume(gzip.decompress(content) != content_of(path))  # a time in its head is no record
    path.write_bytes(content)
    if path == case.anchors:
        return "anchors"
    return path.parent.name if path.parent != case.records else path.name


def delete_line(case: Case, draw: Callable[[int], int]) -> str:
    writer = WRITERS[draw(3)]
    places = lines(case.records / writer)
    path, at = places[draw(len(places))]
    rewrite(path, lambda content: [*content[:at], *content[at + 1 :]])
    return writer


def reorder(case: Case, draw: Callable[[int], int]) -> str:
    writer = WRITERS[draw(3)]
    path = segments(case.records / writer)[0]
    count = len(content_of(path).splitlines())
    at = draw(count - 1)
    rewrite(path, lambda content: [*content[:at], content[at + 1], content[at], *content[at + 2 :]])
    return writer


def cut(case: Case, draw: Callable[[int], int]) -> str:
    """The end is gone, at any byte, also of what is compressed."""
    writer = WRITERS[draw(3)]
    files = segments(case.records / writer)
    at = draw(len(files))
    content = files[at].read_bytes()
    files[at].write_bytes(content[: draw(len(content))])
    for path in files[at + 1 :]:
        path.unlink()
    return writer


def roll_back(case: Case, draw: Callable[[int], int]) -> str:
    """An old log with its old checkpoints, or these alone, in place of the new."""
    return _replace(case, draw, "old")


def fork(case: Case, draw: Callable[[int], int]) -> str:
    """An old log that was continued by who has the key."""
    return _replace(case, draw, "fork")


def _replace(case: Case, draw: Callable[[int], int], copy: str) -> str:
    writer = WRITERS[draw(3)]
    if draw(2):
        shutil.rmtree(case.records / writer)
        shutil.copytree(case.others / copy / writer, case.records / writer)
    else:
        for slot in (case.others / copy / writer).glob("*.note"):
            shutil.copy(slot, case.records / writer)
    return writer


def roll_all_back(case: Case, draw: Callable[[int], int]) -> str:
    """All old, the rosters, too."""
    shutil.rmtree(case.records)
    shutil.copytree(case.others / "old", case.records)
    return WRITERS[draw(3)]


def replace_by_a_foreign_key(case: Case, draw: Callable[[int], int]) -> str:
    writer = WRITERS[draw(3)]
    shutil.rmtree(case.records / writer)
    shutil.copytree(case.others / "foreign" / writer, case.records / writer)
    return writer


def swap_segments(case: Case, draw: Callable[[int], int]) -> str:
    """Two files of one log, or of two."""
    writer, other = WRITERS[draw(3)], WRITERS[draw(3)]
    path, exchange = segments(case.records / writer)[0], segments(case.records / other)[1]
    content, exchanged = content_of(path), content_of(exchange)
    put(path, exchanged)
    put(exchange, content)
    return writer


def delete_segment(case: Case, draw: Callable[[int], int]) -> str:
    writer = WRITERS[draw(3)]
    files = segments(case.records / writer)
    files[draw(len(files))].unlink()
    return writer


def delete_writer(case: Case, draw: Callable[[int], int]) -> str:
    """A log is gone, with the rosters or without."""
    writer = WRITERS[draw(3)]
    shutil.rmtree(case.records / writer)
    for roster in case.records.glob("roster-*.note") if draw(2) else ():
        roster.unlink()
    return writer


def delete_tombstone(case: Case, draw: Callable[[int], int]) -> str:
    writer = RETIRED[draw(2)]
    (case.records / writer / TOMBSTONE).unlink()
    return writer


def exchange_tombstone(case: Case, draw: Callable[[int], int]) -> str:
    """The tombstone of before, of another log, or one that whoever has another key made."""
    writer = RETIRED[draw(2)]
    path = case.records / writer / TOMBSTONE
    now = read_tombstone(path.read_bytes(), writer, KEYS)
    notes = (
        (case.others / f"{writer}-before.note").read_bytes(),
        (case.records / RETIRED[1 - RETIRED.index(writer)] / TOMBSTONE).read_bytes(),
        sign_tombstone(now, STRANGER),
        sign_tombstone(replace(now, size=now.size + 1), FIRST if len(now.spans) == 1 else SECOND),
        sign_tombstone(now, FIRST) if len(now.spans) > 1 else b"",
    )
    path.write_bytes(notes[draw(len(notes))])
    return writer


def retire_unseen(case: Case, draw: Callable[[int], int]) -> str:
    """The first segments are removed as if they had been retired, without a key to say so."""
    writer = WRITERS[draw(3)]
    files = segments(case.records / writer)
    for path in files[: 1 + draw(len(files) - 1)]:
        path.unlink()
    return writer


def add(case: Case, draw: Callable[[int], int]) -> str:
    """A line at the end: one of another log, one of the same again, or none at all."""
    writer = WRITERS[draw(3)]
    line = content_of(segments(case.records / WRITERS[draw(3)])[0]).splitlines(keepends=True)[draw(2)]
    with segments(case.records / writer)[-1].open("ab") as file:
        file.write(line)
    return writer


def exchange_encrypted(case: Case, draw: Callable[[int], int]) -> str:
    """An encrypted segment is cut, gone, in the place of another, or signed by who may not."""
    files = sorted((case.records / ENCRYPTED).glob("*.enc"))
    at = draw(len(files))
    path, content = files[at], files[at].read_bytes()
    file = EncryptedFile.at(files[-1])
    rest = files[-1].read_bytes()[file.head.length :]
    renamed = replace(file.content, wrapped=f"v1:{'A' * 80}", prev=bytes(32))
    match draw(6):
        case 0:
            path.write_bytes(content[: draw(len(content))])
        case 1:
            path.unlink()
        case 2:
            other = files[(at + 1) % len(files)]
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        case 3:
            files[-1].write_bytes(sign_encryption(file.content, STRANGER) + rest)
        case 4:
            files[-1].write_bytes(sign_encryption(file.content, FIRST) + rest)  # which handed over before
        case _:
            files[-1].write_bytes(sign_encryption(renamed, SECOND) + rest)
    return ENCRYPTED


def cut_anchors(case: Case, draw: Callable[[int], int]) -> str:
    """An anchor in the middle is gone."""
    count = len(case.anchors.read_bytes().splitlines())
    at = draw(count - 1)
    rewrite(case.anchors, lambda content: [*content[:at], *content[at + 1 :]])
    return "anchors"


TAMPERINGS = (
    flip,
    delete_line,
    reorder,
    cut,
    roll_back,
    fork,
    roll_all_back,
    replace_by_a_foreign_key,
    swap_segments,
    delete_segment,
    delete_writer,
    delete_tombstone,
    exchange_tombstone,
    retire_unseen,
    add,
    exchange_encrypted,
    cut_anchors,
)


def tampered(whole: Case, data: st.DataObject) -> None:
    """Tamper once, somehow, and hold both verifiers to each other and to what was done."""
    with tempfile.TemporaryDirectory() as folder:
        case = copied(whole, Path(folder))
        tampering = data.draw(st.sampled_from(TAMPERINGS))
        writer = tampering(case, lambda count: data.draw(st.integers(0, count - 1)))
        unproven = case.unproven()
        assert writer in unproven
        assert case.unproven_by_the_file() == case.unproven_with_the_key() == unproven


def test_both_prove_records_that_nobody_touched(case: Case) -> None:
    assert case.unproven() == case.unproven_by_the_file() == case.unproven_by_the_file(TOOLS.pure_verify) == set()
    assert case.unproven_with_the_key() == set()


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda tampering: tampering.__name__)
def test_both_name_whose_log_was_tampered_with(case: Case, tampering: Callable[[Case, object], str]) -> None:
    writer = tampering(case, lambda count: min(1, count - 1))
    unproven = case.unproven()
    assert writer in unproven
    assert case.unproven_by_the_file() == case.unproven_by_the_file(TOOLS.pure_verify) == unproven


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_both_agree_on_every_tampering(whole: Case, data: st.DataObject) -> None:
    tampered(whole, data)


@pytest.mark.slow
@settings(max_examples=10_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_both_agree_on_ten_thousand_tamperings(whole: Case, data: st.DataObject) -> None:
    tampered(whole, data)


def test_a_made_up_size_of_an_index_takes_no_memory(case: Case) -> None:
    path = min((case.records / ENCRYPTED).glob("*.enc"))
    file = EncryptedFile.at(path)
    head = sign_encryption(replace(file.content, index_size=10**17), STRANGER)
    path.write_bytes(head + file.index() + file.bodies())
    logs = TOOLS.Verifier(KEYS, TOOLS.pure_verify).folder(case.records, [], [], [])
    faults = [fault for log in logs if log.writer == ENCRYPTED for fault in log.faults]
    assert any("its index is not the one that was signed" in fault for fault in faults)


def test_both_ask_checkpoints_that_were_kept_elsewhere(case: Case) -> None:
    kept = case.place / "checkpoints.note"
    kept.write_bytes(b"".join(newest_notes(case.records, KEYS).values()))
    shutil.rmtree(case.records)
    shutil.copytree(case.others / "old", case.records)
    reports = verify_folder(case.records, KEYS, load_expected(kept, KEYS))
    verifier = TOOLS.Verifier(KEYS, TOOLS.pure_verify)
    logs = verifier.folder(case.records, verifier.expected(kept), [], [])
    assert {log.writer for log in logs if not log.is_proven} == {r.writer for r in reports if not r.is_intact}
    assert not any(log.is_proven for log in logs if log.writer in WRITERS)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80), st.integers(0, 63), st.integers(0, 7))
@settings(max_examples=20, deadline=None)
def test_the_ed25519_of_the_file_takes_what_the_library_signs_and_nothing_that_is_altered(
    seed: bytes, text: bytes, at: int, bit: int
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    raw, signature = key.public_key().public_bytes_raw(), key.sign(text)
    assert TOOLS.pure_verify(raw, signature, text)
    altered = bytearray(signature)
    altered[at] ^= 1 << bit
    assert not TOOLS.pure_verify(raw, bytes(altered), text)
    assert not TOOLS.pure_verify(raw, signature, text + b"x")
    # RFC 8032, section 5.1.7: a scalar that is not below the order of the group is refused
    beyond = int.from_bytes(signature[32:], "little") + TOOLS.ORDER
    assert not TOOLS.pure_verify(raw, signature[:32] + beyond.to_bytes(32, "little"), text)


def _run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    # -I -S: no package of this environment is there, so it is the file alone
    return subprocess.run(
        [sys.executable, "-I", "-S", TOOL, *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_file_alone_verifies_a_folder_without_any_package(case: Case) -> None:
    key = case.place / "records.pub.json"
    key.write_text(json.dumps({"keys": [okp_jwk(raw) for raw in KEYS]}))
    proven = _run(case.records, "--key", key, "--anchors", case.anchors)
    assert (proven.returncode, proven.stderr) == (0, "")
    assert proven.stdout.startswith("authz-0: proven, ")
    shutil.rmtree(case.records / "authz-1")
    damaged = _run(case.records, "--key", key, "--anchors", case.anchors)
    assert damaged.returncode == 1
    assert "authz-1: DAMAGED" in damaged.stdout
    case.anchors.with_name("none.jsonl").write_bytes(b"")
    for words in (
        ("--anchors", case.anchors.with_name("none.jsonl")),
        ("--anchors", case.anchors, "--place", "gw-nowhere"),
        ("--place", "gw-0"),
    ):
        assert _run(case.records, "--key", key, *words).returncode == 2
    nothing = _run(case.place / "nowhere", "--key", key)
    assert nothing.returncode == 2
    assert "nowhere" in nothing.stderr


def test_the_file_imports_nothing_of_the_product() -> None:
    assert "aegis_authz" not in TOOL.read_text("utf-8")
