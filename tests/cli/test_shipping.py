"""`aegis audit ship`, `shipped`, `fetch` and `retain --shipped`, as they are called, on a real store that locks."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.files import newest_notes
from aegis_authz.cli.audit import app
from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import okp_jwk
from aegis_authz.evidence.anchors import encode_anchor
from aegis_authz.evidence.chain import read_link
from aegis_authz.evidence.checkpoint import read_checkpoint
from tests.support.real_s3 import S3Server, s3
from tests.support.sealed_logs import KEY, KEYS, grow

__all__ = ["s3"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of a mesh whose log has several segments."""
    state = tmp_path / "mesh"
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(KEYS[0])]}))
    grow(state / "records" / "authz-0", range(20))
    pem = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (state / "keys" / "records.pem").touch(mode=0o600)
    (state / "keys" / "records.pem").write_bytes(pem)
    return state


def settle(state: Path, server: S3Server, bucket: str) -> None:
    """Write the settings of the store."""
    (state / "shipping.yaml").write_text(
        f"bucket: {bucket}\nprefix: gw-0/\nendpoint: {server.endpoint}\n"
        f"credentials: {server.credentials(state)}\nretention: {{mode: COMPLIANCE, days: 200}}\n",
        "utf-8",
    )


def anchor(state: Path) -> None:
    """Keep where the log stands, as the control plane does."""
    first = read_link((state / "records" / "authz-0" / "00000001.jsonl").read_bytes().splitlines(keepends=True)[0])
    note = newest_notes(state / "records", KEYS)["authz-0"]
    head = Head("gw-0", "authz-0", first.computed.hex(), read_checkpoint(note, KEYS[0]).size, note.decode("utf-8"))
    (state / "anchors.jsonl").write_bytes(encode_anchor(Anchor.after(0, FIRST_PREVIOUS, Epoch(1000.0), head)))


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_a_log_is_shipped_retired_and_brought_back_to_a_folder_that_is_proven(
    state: Path, s3: S3Server, tmp_path: Path
) -> None:
    settle(state, s3, s3.bucket())
    anchor(state)
    dry = run("ship", "--dir", state, "--dry-run")
    assert dry.exit_code == 0
    assert dry.output.startswith("authz-0: segment 1 would be shipped as gw-0/authz-0/00000001.jsonl, ")
    done = run("ship", "--dir", state)
    count = len(done.output.splitlines())
    assert done.exit_code == 0, done.output
    assert done.output.startswith("authz-0: segment 1 shipped as gw-0/authz-0/00000001.jsonl, ") and count > 1
    assert run("ship", "--dir", state).output == "every sealed segment is shipped\n"
    told = run("shipped", "--dir", state)
    assert told.exit_code == 0 and told.output.startswith(f"authz-0: {count} shipped, locked until 20")
    assert told.output.endswith("at least; 0 not shipped yet\n")
    before = {path.name: path.read_bytes() for path in (state / "records" / "authz-0").glob("0*")}
    now = ("--older-than", "0s", "--under-six-months", "--shipped", "--apply")
    retired = run("retain", "--dir", state, *now)
    assert retired.exit_code == 0, retired.output
    assert f"segments 1 to {count} " in retired.output
    out = tmp_path / "out"
    back = run("fetch", "--dir", state, "--out", out)
    assert back.exit_code == 0, back.output
    assert {path.name: path.read_bytes() for path in (out / "authz-0").iterdir()} == {
        name: content for name, content in before.items() if int(name[:8]) <= count
    }
    key = state / "keys" / "records.pub.json"
    proof = run("verify", out, "--key", key, "--sealed", "--anchors", state / "anchors.jsonl")
    assert proof.exit_code == 0 and "intact: " in proof.output, proof.output
    assert run("verify", out, "--key", key).exit_code == 1


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ships_each_segment_once(state: Path, s3: S3Server) -> None:
    bucket = s3.bucket()
    settle(state, s3, bucket)
    grow(state / "records" / "authz-0", range(20, 60))
    log = state / "records" / "authz-0"
    count = len(list(log.glob("0*"))) - 1
    command = [sys.executable, "-m", "aegis_authz.cli", "audit", "ship", "--dir", state]
    for _ in range(4):
        with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0) as process:
            assert process.stdout is not None
            assert b" segment " in process.stdout.readline()  # and the next is on its way
            process.kill()
    assert 4 <= len((log / "shipped.jsonl").read_bytes().splitlines()) < count
    assert run("ship", "--dir", state).exit_code == 0
    lines = [json.loads(line) for line in (log / "shipped.jsonl").read_bytes().splitlines()]
    assert [line["segment"] for line in lines] == list(range(1, count + 1))
    found = s3.client().list_object_versions(Bucket=bucket)["Versions"]
    assert sorted(version["Key"] for version in found) == [line["key"] for line in lines]
    assert run("shipped", "--dir", state).exit_code == 0


@pytest.mark.slow
def test_what_was_altered_in_the_bucket_is_named_by_every_command_and_stays_the_only_thing_that_is_wrong(
    state: Path, s3: S3Server, tmp_path: Path
) -> None:
    bucket = s3.bucket()
    settle(state, s3, bucket)
    anchor(state)
    assert run("ship", "--dir", state).exit_code == 0
    s3.client().put_object(Bucket=bucket, Key="gw-0/authz-0/00000001.jsonl", Body=b"forged\n")
    s3.client().put_object(Bucket=bucket, Key="gw-0/readme.txt", Body=b"hello\n")
    told = run("shipped", "--dir", state)
    assert told.exit_code == 1
    assert "  segment 1: gw-0/authz-0/00000001.jsonl was written again: version " in told.output
    back = run("fetch", "--dir", state, "--out", tmp_path / "out", "--json")
    assert back.exit_code == 1
    answer = json.loads(back.output)
    assert answer["proof"]["intact"] is True
    assert len(answer["objects"][0]["faults"]) == 1 and not any(each["faults"] for each in answer["objects"][1:])
    assert (answer["objects"][-1]["state"], answer["objects"][-1]["key"]) == ("foreign", "gw-0/readme.txt")


@pytest.mark.slow
def test_what_is_not_shipped_is_not_retired(state: Path, s3: S3Server) -> None:
    settle(state, s3, s3.bucket())
    anchor(state)
    words = ("--older-than", "0s", "--under-six-months", "--shipped", "--apply")
    result = run("retain", "--dir", state, *words)
    assert result.exit_code == 1
    assert result.output.splitlines()[1] == "  the next stays: it is not shipped"
    assert (state / "records" / "authz-0" / "00000001.jsonl").exists()


@pytest.mark.slow
def test_a_writer_that_has_nothing_in_the_bucket_is_said_by_name(state: Path, s3: S3Server, tmp_path: Path) -> None:
    settle(state, s3, s3.bucket())
    result = run("fetch", "--dir", state, "--out", tmp_path / "out", "--writer", "nobody")
    assert result.exit_code == 2 and "no segment of nobody is in s3://" in result.output


@pytest.mark.parametrize("command", [("ship",), ("shipped",), ("fetch", "--out", "out")])
def test_settings_that_are_not_there_or_wrong_are_named(state: Path, command: tuple[str, ...]) -> None:
    missing = run(*command, "--dir", state)
    assert missing.exit_code == 2 and f"{state}/shipping.yaml" in missing.output
    (state / "shipping.yaml").write_text("bucket: b\nprefix: gw-0/\nretention: {mode: SOMETIMES, days: 1}\n", "utf-8")
    wrong = run(*command, "--dir", state)
    assert wrong.exit_code == 2
    assert "bucket: " in wrong.output and "retention.mode: " in wrong.output


def test_a_folder_of_sealed_segments_alone_is_proven_when_it_is_said_to_be_one(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(state / "records" / "authz-0", out / "authz-0")
    for file in [*(out / "authz-0").glob("checkpoint-*"), max((out / "authz-0").glob("0*"))]:
        file.unlink()
    key = state / "keys" / "records.pub.json"
    assert run("verify", out, "--key", key, "--sealed").exit_code == 0
    assert run("verify", out, "--key", key).exit_code == 1
    verifier = ROOT / "tools" / "verify_records.py"

    def foreign(*words: str) -> int:
        command = [sys.executable, verifier, out, "--key", key, *words]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode

    assert (foreign("--sealed"), foreign()) == (0, 1)
    last = max((out / "authz-0").glob("0*"))
    last.write_bytes(b"".join(last.read_bytes().splitlines(keepends=True)[:-1]))
    assert (run("verify", out, "--key", key, "--sealed").exit_code, foreign("--sealed")) == (1, 1)
