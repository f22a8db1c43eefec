"""`aegis control anchors` and `aegis audit verify` on the folder of a mesh with a real database."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.sql.anchors import SqlRecordAnchors
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.app import app
from aegis_authz.core.record import RedactionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from tests.support.control_settings import control_settings

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """The state folder of a mesh with a log that is anchored in its database."""
    settings = control_settings(tmp_path)
    settings.state.mkdir()
    settings.keys.mkdir()
    public = KEY.public_key().public_bytes_raw()
    (settings.keys / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(public)]}))
    (tmp_path / "control.yaml").write_text(json.dumps(settings.model_dump(mode="json")))
    database = Database(f"sqlite:///{settings.state / 'control.db'}")
    await database.migrate()
    async with FileRecordLog(settings.records / "authz-0", "authz-0", KEY, SystemClock()) as log:
        for number in range(3):
            await log.append(RedactionRecord(f"0190-{number}", 1.0, "request", {}, "done"))
            head = log.head("gw-0")
            assert head is not None
            await SqlRecordAnchors(database).append(Epoch(1000.0 + number), [head])
    await database.close()
    return tmp_path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_anchors_of_the_database_prove_a_log_and_name_it_once_it_is_gone(state: Path) -> None:
    printed = run("control", "anchors", "--dir", state)
    assert printed.exit_code == 0
    assert [json.loads(line)["size"] for line in printed.stdout.splitlines()] == [1, 2, 3]
    kept = state / "kept.jsonl"
    assert run("control", "anchors", "--dir", state, "--out", kept).exit_code == 0
    assert run("audit", "verify", "--dir", state, "--anchors", kept).exit_code == 0
    shutil.rmtree(state / "records" / "authz-0")
    for roster in (state / "records").glob("roster-*"):
        roster.unlink()
    result = run("audit", "verify", "--dir", state, "--anchors", kept)
    assert result.exit_code == 1
    assert "anchor 3 of 1970-01-01T00:16:42Z: the log of gw-0 is missing" in result.stdout
    assert run("audit", "verify", "--dir", state, "--anchors", kept, "--place", "gw-1").exit_code == 2  # nothing there


def test_the_copy_of_a_mesh_is_asked_without_being_named(state: Path) -> None:
    assert run("control", "anchors", "--dir", state, "--out", state / "anchors.jsonl").exit_code == 0
    assert run("audit", "verify", "--dir", state).exit_code == 0
    shutil.rmtree(state / "records" / "authz-0")
    assert run("audit", "verify", "--dir", state).exit_code == 1


def test_what_holds_no_anchor_proves_no_log(state: Path) -> None:
    nothing = state / "nothing.jsonl"
    nothing.write_bytes(b"")
    assert run("audit", "verify", "--dir", state).exit_code == 0
    for words, why in (
        (("--anchors", nothing), "holds no anchor"),
        (("--anchors", state / "nowhere.jsonl"), "nowhere.jsonl"),
        (("--place", "gw-0"), "no anchors.jsonl is beside"),
    ):
        result = run("audit", "verify", "--dir", state, *words)
        assert (result.exit_code, why in result.stderr) == (2, True)
    kept = state / "kept.jsonl"
    assert run("control", "anchors", "--dir", state, "--out", kept).exit_code == 0
    assert run("audit", "verify", "--dir", state, "--anchors", kept, "--place", "gw-0").exit_code == 0
    strange = run("audit", "verify", "--dir", state, "--anchors", kept, "--place", "gw-0", "--place", "gw-O")
    assert (strange.exit_code, "holds no anchor of gw-O" in strange.stderr) == (2, True)


def test_a_copy_of_anchors_that_cannot_be_reached_or_is_empty_is_not_gone_without(state: Path) -> None:
    (state / "anchors.jsonl").symlink_to(state / "another-disk" / "anchors.jsonl")
    assert run("audit", "verify", "--dir", state).exit_code == 2
    (state / "anchors.jsonl").unlink()
    (state / "anchors.jsonl").write_bytes(b"")
    assert run("audit", "verify", "--dir", state).exit_code == 2


def test_a_control_plane_that_never_started_has_no_anchors(state: Path) -> None:
    (state / "control" / "control.db").unlink()
    result = run("control", "anchors", "--dir", state)
    assert result.exit_code == 2
    assert "no control plane has started with it" in result.stderr
