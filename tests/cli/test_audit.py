from __future__ import annotations

import asyncio
import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.cli.audit import app, follow_tail
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, RedactionRecord
from aegis_authz.encoding.jwk import okp_jwk, thumbprint
from aegis_authz.evidence.query import RecordFilter
from tests.support.made_records import DENIED, named

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
PUBLIC = KEY.public_key().public_bytes_raw()
DECISION = replace(
    DENIED, decision_id="01900000-0000-7000-8000-000000000001", time=1795408921.25, path="/v1/payments\x1b[2J"
)
CLINIC = replace(
    DECISION,
    decision_id="0190-other",
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
    identity=named("clinic-agent"),
)


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    """The state folder of a mesh with the records of two decisions."""
    state = tmp_path / "mesh"
    (state / "keys").mkdir(parents=True)
    (state / "keys" / "records.pub.json").write_text(json.dumps({"keys": [okp_jwk(PUBLIC)]}))
    async with FileRecordLog(state / "records" / "authz-0", "authz-0", KEY, SystemClock()) as log:
        await log.append(DECISION)
        await log.append(CLINIC)
        await log.append(RedactionRecord("0190-other", DECISION.time + 1, "response", {"us_ssn": 2}, "done"))
    return state


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def spoil(state: Path) -> None:
    path = state / "records" / "authz-0" / "00000001.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"deny"', b'"deNy"', 1))


def test_an_intact_mesh_is_said_to_be_intact(state: Path) -> None:
    result = run("verify", "--dir", state)
    assert result.exit_code == 0, result.output
    assert "authz-0: intact, 3 records from 2026-11-23" in result.stdout
    assert thumbprint(PUBLIC) in result.stdout
    assert result.stdout.endswith("intact: 3 records in 1 log\n")


def test_a_flipped_byte_is_named_and_ends_with_1(state: Path) -> None:
    spoil(state)
    result = run("verify", "--dir", state)
    assert result.exit_code == 1
    assert (
        "record 1 (decision 01900000-0000-7000-8000-000000000001) in records/authz-0/00000001.jsonl line 1: "
        "its bytes do not match its hash"
    ) in result.stdout
    assert "TAMPERED: authz-0" in result.stdout


def test_the_verification_reads_as_json_too(state: Path) -> None:
    assert json.loads(run("verify", "--dir", state, "--json").stdout)["intact"] is True
    spoil(state)
    result = run("verify", "--dir", state, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["intact"] is False
    assert report["logs"][0]["damages"][0]["seq"] == 1
    assert report["logs"][0]["damages"][0]["decision_id"] == DECISION.decision_id


def test_a_folder_is_verified_with_the_key_of_its_mesh_or_a_named_one(state: Path, tmp_path: Path) -> None:
    assert run("verify", state / "records").exit_code == 0
    assert run("verify", state / "records" / "authz-0").exit_code == 0
    shutil.copytree(state / "records", tmp_path / "elsewhere")
    lost = run("verify", tmp_path / "elsewhere")
    assert lost.exit_code == 2
    assert "name the public key with --key" in lost.stderr
    assert run("verify", tmp_path / "elsewhere", "--key", state / "keys" / "records.pub.json").exit_code == 0


def test_the_wrong_key_never_verifies(state: Path, tmp_path: Path) -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    (tmp_path / "other.json").write_text(json.dumps(okp_jwk(other)))
    result = run("verify", "--dir", state, "--key", tmp_path / "other.json")
    assert result.exit_code == 1
    assert "signed with another key" in result.stdout


async def test_a_rollback_is_seen_against_a_checkpoint_kept_elsewhere(state: Path, tmp_path: Path) -> None:
    shutil.copytree(state, tmp_path / "old")
    async with FileRecordLog(state / "records" / "authz-0", "authz-0", KEY, SystemClock()) as log:
        await log.append(DECISION)
    kept = tmp_path / "kept"
    assert run("checkpoint", "--dir", state, "--out", kept).exit_code == 0
    assert kept.read_text("utf-8") == run("checkpoint", "--dir", state).stdout
    assert run("verify", "--dir", state, "--expect", kept).exit_code == 0
    assert run("verify", "--dir", tmp_path / "old").exit_code == 0
    result = run("verify", "--dir", tmp_path / "old", "--expect", kept)
    assert result.exit_code == 1
    assert "seals 4 records, 4 missing: the log was truncated or rolled back" in result.stdout


def test_no_checkpoint_is_given_out_for_a_log_without_a_trusted_one(state: Path) -> None:
    for path in (state / "records" / "authz-0").glob("*.note"):
        path.write_bytes(b"junk")
    result = run("checkpoint", "--dir", state)
    assert result.exit_code == 1
    assert result.stdout == ""


@pytest.mark.parametrize("command", ["verify", "checkpoint", "tail"])
def test_what_cannot_be_read_ends_with_2(command: str, state: Path, tmp_path: Path) -> None:
    assert run(command).exit_code == 2
    key: list[str | Path] = [] if command == "tail" else ["--key", state / "keys" / "records.pub.json"]
    nowhere = run(command, tmp_path / "nowhere", *key)
    assert nowhere.exit_code == 2
    assert "is not a folder" in nowhere.stderr


@pytest.mark.parametrize("option", ["--expect", "--key"])
def test_a_junk_file_in_an_option_ends_with_2(state: Path, tmp_path: Path, option: str) -> None:
    (tmp_path / "junk").write_bytes(b"junk")
    for name in ("junk", "missing"):
        result = run("verify", "--dir", state, option, tmp_path / name)
        assert result.exit_code == 2
        assert result.stderr.startswith("aegis audit: ")


def test_tail_lists_records_in_columns(state: Path) -> None:
    lines = run("tail", "--dir", state).stdout.splitlines()
    assert lines[0].split() == ["time", "answer", "reason", "agent", "tool", "action", "ms", "decision"]
    assert lines[1].split()[2:5] == ["deny", "POLICY_DENIED", "finance-agent"]
    assert lines[3].split()[2] == "redaction"


def test_tail_can_be_narrowed(state: Path) -> None:
    def ids(*words: str) -> list[str]:
        return [
            row["record"]["decision_id"] for row in json.loads(run("tail", "--dir", state, "--json", *words).stdout)
        ]

    assert ids("--effect", "deny") == [DECISION.decision_id]
    assert ids("--agent", "clinic-agent") == ids("--agent", "acme/emea/clinic-agent") == ["0190-other"]
    assert ids("--agent", "acme/apac/clinic-agent") == []
    assert ids("-n", "2") == ["0190-other", "0190-other"]
    assert ids("--limit-at", "80") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--effect", "denied"], "an effect is one of"),
        (["--reason", "REPLAYD"], "REPLAYED"),
        (["--since", "yesterday"], "is no moment"),
        (["--limit-at", "90"], "a mark is one of 80, 100"),
    ],
)
def test_tail_refuses_a_word_that_would_match_nothing(state: Path, words: list[str], message: str) -> None:
    result = run("tail", "--dir", state, *words)
    assert (result.exit_code, message in " ".join(result.stderr.split())) == (2, True)


async def test_tail_follows_what_is_appended(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    looks = iter(["first", "then Ctrl-C"])
    late = replace(CLINIC, decision_id="0190-late", time=CLINIC.time + 9)

    def wait() -> None:
        if next(looks) == "then Ctrl-C":
            raise KeyboardInterrupt
        with ThreadPoolExecutor() as pool:
            pool.submit(asyncio.run, append(state, late)).result()

    follow_tail(state / "records", 1, RecordFilter(effect=Effect.ALLOW), False, wait)
    first, second = capsys.readouterr().out.strip().splitlines()
    assert "0190-other" in first and "0190-late" in second
    assert first.index("clinic-agent") == second.index("clinic-agent")


async def append(state: Path, record: DecisionRecord) -> None:
    async with FileRecordLog(state / "records" / "authz-0", "authz-0", KEY, SystemClock()) as log:
        await log.append(record)


def test_tail_shows_a_line_that_is_not_readable(state: Path) -> None:
    path = state / "records" / "authz-0" / "00000001.jsonl"
    path.write_bytes(path.read_bytes() + b"junk\n")
    assert "unreadable" in run("tail", "--dir", state).stdout


def test_show_prints_everything_of_one_decision_and_nothing_a_terminal_obeys(state: Path) -> None:
    result = run("show", DECISION.decision_id, "--dir", state)
    assert result.exit_code == 0
    assert "records/authz-0/00000001.jsonl line 1" in result.stdout
    assert "  reason: POLICY_DENIED" in result.stdout
    assert "  path: /v1/payments\\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout
    assert len(json.loads(run("show", "0190-other", "--dir", state, "--json").stdout)) == 2


def test_show_of_an_unknown_decision_ends_with_1(state: Path) -> None:
    result = run("show", "0190-nowhere", "--dir", state)
    assert result.exit_code == 1
    assert "no record of decision" in result.stderr


def test_what_envoy_did_is_held_against_the_records(state: Path) -> None:
    log = state / "access.log"
    line = {
        "time": "2026-11-23T09:22:01Z",
        "decision_id": CLINIC.decision_id,
        "upstream": "10.0.0.9:443",
        "upstream_cluster": "tool:ehr",
        "details": "via_upstream",
    }
    log.write_text(json.dumps(line) + "\n" + json.dumps({**line, "decision_id": DECISION.decision_id})[:-9])
    words = ("reconcile", log, "--dir", state, "--patience", "0")
    missing = run(*words)
    assert missing.exit_code == 1
    assert missing.stdout.splitlines()[-1].startswith("GAPS: 1 call-without-outcome among 1 call")
    with log.open("a") as file:
        file.write('"}\n')
    again = run(*words, "--json")
    assert again.exit_code == 1
    content = json.loads(again.stdout)
    assert content["by_kind"] == {"call-without-allow": 1, "call-without-outcome": 1}
    assert [gap["line"] for gap in content["gaps"]] == [2, 1]
    assert run("reconcile", state / "nowhere.log", "--dir", state).exit_code == 2


async def test_the_trail_of_an_approval_is_told_with_the_outcome_of_the_call_that_used_it(state: Path) -> None:
    approval = "apr_0a0123456789abcdef0123456789abcdef"
    held = replace(
        DECISION, effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED, approval_id=approval, total_ms=0.0
    )
    used = replace(
        CLINIC, decision_id="0190-used", approval_id=approval, approved_by="ann", time=DECISION.time + 9, total_ms=0.0
    )
    async with FileRecordLog(state / "records" / "authz-1", "authz-1", KEY, SystemClock()) as log:
        for record in (held, used, RedactionRecord("0190-used", used.time + 1, "response", {}, "done")):
            await log.append(record)
    told = run("timeline", "--approval", approval, "--dir", state)
    assert told.exit_code == 0
    assert [line.rpartition("  [")[2] for line in told.stdout.splitlines()] == [
        f"records/authz-1/00000001.jsonl line {number}]" for number in (1, 2, 3)
    ]
    steps = json.loads(run("timeline", "--approval", approval, "--dir", state, "--json").stdout)
    assert [(step["after"], step["record"]["kind"]) for step in steps] == [
        (0.0, "decision"),
        (9.0, "decision"),
        (10.0, "redaction"),
    ]
    assert run("timeline", "--approval", "apr_nobody", "--dir", state).exit_code == 1


def test_records_are_found_by_an_index_that_is_made_anew_where_it_is_of_others(state: Path) -> None:
    words = ("query", "--dir", state, "--agent", "clinic-agent", "--json")
    assert [found["record"]["decision_id"] for found in json.loads(run(*words).stdout)] == [CLINIC.decision_id]
    assert (
        json.loads(run("query", "--dir", state, "--effect", "deny", "--since", "2030-01-01T00:00Z", "--json").stdout)
        == []
    )
    assert run("query", "--dir", state, "--effect", "nope").exit_code == 2
    assert json.loads(run("query", "--dir", state, "--until", "1970-01-01T00:00Z", "--json").stdout) == []
    (state / "records.index").write_bytes(b"no database" * 200)
    assert run(*words).exit_code == 2
    assert run(*words, "--rebuild").exit_code == 0
    shutil.rmtree(state / "records" / "authz-0")
    assert run(*words).exit_code == 2  # there are no records to find anything in
