"""`aegis audit prove`, and what the verifier in one file makes of its proofs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.audit import app
from tests.cli.test_retention import KEY, NOW, anchor
from tests.cli.test_retention import state as state  # noqa: PLC0414  # a fixture
from tests.support.exported_records import payment

TOOL = Path(__file__).parents[2] / "tools" / "verify_records.py"


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def by_the_file(state: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", TOOL, "--key", state / "keys" / "records.pub.json", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def proven(state: Path, decision_id: str, *words: str | Path) -> list[Path]:
    result = run("prove", decision_id, "--dir", state, "--out", state / "proofs", *words)
    assert result.exit_code == 0, result.output
    return [Path(line) for line in result.output.split()]


def grow(state: Path, numbers: range, key: Ed25519PrivateKey = KEY) -> None:
    async def append() -> None:
        folder = state / "records" / "authz-0"
        async with FileRecordLog(folder, "authz-0", key, SystemClock(), max_file_bytes=3000) as log:
            for number in numbers:
                await log.append(payment(number))

    asyncio.run(append())


def test_a_record_is_proven_by_one_file_and_the_public_key(state: Path) -> None:
    head, proof = proven(state, "d-5")
    assert proof.name.startswith("authz-0-") and proof.suffix == ".tlog-proof"
    result = by_the_file(state, "--proof", proof)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.startswith(f"{proof.name}: proven: record ")
    assert '"decision_id":"d-5"' in result.stdout
    assert head.name == f"authz-0-{result.stdout.split(' is one of its first ')[1].split(':')[0]}.note"


@pytest.mark.parametrize("at", ["extra ", "index ", "\n\naegis", "tree\n", "tree "])
def test_a_proof_that_was_altered_anywhere_proves_nothing(state: Path, at: str) -> None:
    _, proof = proven(state, "d-5")
    content = proof.read_text("utf-8")
    place = content.index(at) + len(at)
    proof.write_text(content[:place] + ("A" if content[place] != "A" else "B") + content[place + 1 :], "utf-8")
    result = by_the_file(state, "--proof", proof)
    assert result.returncode == 1
    assert "NOT PROVEN" in result.stdout


def test_a_log_is_proven_to_have_only_grown_since_a_head_that_was_kept(state: Path) -> None:
    head, _ = proven(state, "d-5")
    kept = state / "kept.note"
    kept.write_bytes(head.read_bytes())
    grow(state, range(20, 30))
    files = proven(state, "d-5", "--since", kept)
    (growth,) = (path for path in files if path.suffix == ".consistency")
    result = by_the_file(state, "--growth", growth, kept)
    assert result.returncode == 0, result.stdout
    assert "records of authz-0 begin with the" in result.stdout
    growth.write_text(growth.read_text("utf-8").replace("\n", "\nA", 1), "utf-8")
    assert by_the_file(state, "--growth", growth, kept).returncode == 1


def test_records_behind_a_tombstone_are_proven_like_the_others(state: Path) -> None:
    before = {path.name: path.read_bytes() for path in proven(state, "d-7")}
    anchor(state)
    assert run("retain", "--dir", state, *NOW, "--apply").exit_code == 0
    head, proof = proven(state, "d-7")
    assert {path.name: path.read_bytes() for path in (head, proof)} == before
    assert by_the_file(state, "--proof", proof).returncode == 0
    grow(state, range(20, 30))
    growth, _, _ = proven(state, "d-7", "--since", head)
    assert by_the_file(state, "--growth", growth, head).returncode == 0
    retired = run("prove", "d-1", "--dir", state, "--out", state / "proofs")
    assert (retired.exit_code, "no record of decision 'd-1'" in retired.output) == (1, True)


def test_nothing_of_a_damaged_log_is_proven(state: Path) -> None:
    path = state / "records" / "authz-0" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b"50000", b"50001", 1))
    result = run("prove", "d-5", "--dir", state, "--out", state / "proofs")
    assert result.exit_code == 1
    assert "do not match its hash" in result.output
    assert not (state / "proofs").exists()


def test_a_key_that_does_not_verify_the_records_proves_nothing_of_them(state: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    stranger = Ed25519PrivateKey.from_private_bytes(b"\x09" * 32)
    path = state / "stranger.pem"
    path.touch(mode=0o600)
    path.write_bytes(stranger.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    result = run("prove", "d-5", "--dir", state, "--out", state / "proofs", "--signing-key", path)
    assert result.exit_code == 2
    assert "not among those that verify the records" in result.output
