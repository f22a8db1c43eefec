"""`aegis audit compress` and `retain`, as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.audit import app
from aegis_authz.encoding.jwk import okp_jwk
from tests.support.exported_records import payment

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """The state folder of a mesh whose log has several segments."""
    state = tmp_path / "mesh"
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(PUBLIC)]}))
    folder = state / "records" / "authz-0"
    async with FileRecordLog(folder, "authz-0", KEY, SystemClock(), max_file_bytes=3000) as log:
        for number in range(8):
            await log.append(payment(number))
    return state


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_sealed_segments_are_compressed_and_read_as_before(state: Path) -> None:
    before = run("tail", "--dir", state, "--json").output
    result = run("compress", "--dir", state)
    assert result.exit_code == 0
    assert result.output.startswith("authz-0: segment 1 compressed, ")
    assert run("tail", "--dir", state, "--json").output == before
    assert run("verify", "--dir", state).exit_code == 0
    again = run("compress", "--dir", state)
    assert (again.exit_code, again.output) == (0, "no sealed segment that is not compressed\n")
    assert json.loads(run("compress", "--dir", state, "--json").output) == {"compressed": []}


def test_a_folder_without_records_cannot_be_compressed(tmp_path: Path) -> None:
    assert run("compress", "--dir", tmp_path).exit_code == 2
