"""`aegis audit encrypt`, `rekey` and `aegis keys encryption`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from aegis_authz.adapters.records.keyring import VARIABLE
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.app import app
from tests.adapters.records.test_encrypting import KEY
from tests.support.exported_records import payment

RUNNER = CliRunner()


@pytest.fixture
async def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a mesh with a log of several segments."""
    monkeypatch.setenv(VARIABLE, "")
    pem = tmp_path / "keys" / "records.pem"
    pem.parent.mkdir()
    pem.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    pem.chmod(0o600)
    async with FileRecordLog(tmp_path / "records" / "w", "w", KEY, SystemClock(), max_file_bytes=8000) as log:
        for number in range(12):
            await log.append(payment(number))
    return tmp_path


def run(*words: str | Path, code: int = 0) -> str:
    result = RUNNER.invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def test_an_operator_encrypts_reads_and_replaces_the_key(state: Path) -> None:
    old, new = (f"file:{state / name}" for name in ("old.kek", "new.kek"))
    assert "holds the key file:" in run("keys", "encryption", state / "old.kek")
    assert json.loads(run("keys", "encryption", state / "new.kek", "--json"))["key"].startswith("file:")
    before = run("audit", "tail", "--dir", state, "-n", "100", "--json")

    assert "w: segment 1 encrypted under file:" in run("audit", "--records-key", old, "encrypt", "--dir", state)
    assert "no sealed segment" in run("audit", "--records-key", old, "encrypt", "--dir", state)
    assert run("audit", "--records-key", old, "tail", "--dir", state, "-n", "100", "--json") == before
    done = json.loads(run("audit", "--records-key", new, "--records-key", old, "rekey", "--dir", state, "--json"))[
        "rekeyed"
    ]
    assert {each["writer"] for each in done} == {"w"}
    assert run("audit", "--records-key", new, "tail", "--dir", state, "-n", "100", "--json") == before
    (state / "old.kek").unlink()
    assert "intact: " in run("audit", "--records-key", new, "verify", "--dir", state)


def test_without_the_key_verify_proves_and_says_what_was_not_read(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("keys", "encryption", state / "kek")
    run("audit", "--records-key", f"file:{state / 'kek'}", "encrypt", "--dir", state)
    monkeypatch.setenv(VARIABLE, "")
    output = run("audit", "verify", "--dir", state)
    assert "encrypted segments were not opened: their order, number and hashes are proven" in output
    assert json.loads(run("audit", "tail", "--dir", state, "--json"))
    (state / "access.log").write_bytes(b"")
    # a sum over a part of the records would be a wrong one
    output = run("audit", "reconcile", state / "access.log", "--dir", state, code=2)
    assert "00000001.jsonl.enc cannot be read" in output


def test_what_cannot_be_done_is_said(state: Path) -> None:
    assert "no key to encrypt with is named" in run("audit", "encrypt", "--dir", state, code=2)
    assert "a key is file:PATH or vault:MOUNT/NAME" in run("audit", "--records-key", "x", "encrypt", code=2)
    assert "no such file" in run("audit", "--records-key", f"file:{state / 'no'}", "tail", "--dir", state, code=2)
    run("keys", "encryption", state / "kek")
    assert "is there already" in run("keys", "encryption", state / "kek", code=2)
    segment = state / "records" / "w" / "00000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b"d-0", b"d-x"))
    output = run("audit", "--records-key", f"file:{state / 'kek'}", "encrypt", "--dir", state, code=1)
    assert "w: nothing is done: it is not proven" in output
    assert segment.exists()
