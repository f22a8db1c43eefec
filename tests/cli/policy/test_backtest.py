"""`aegis policy backtest` on logs as authorizers write them, with a real OPA and a real Redis."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.adapters.records.files import log_files
from aegis_authz.cli.policy import app as policy
from aegis_authz.cli.policy import backtest as module
from aegis_authz.commands.sealed_records import make_auditor_key
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.encoding.sealed_box import read_public_key
from aegis_authz.evidence.chain import read_record
from aegis_authz.evidence.sealing import sealed_for
from tests.support.recorded_payments import payment, withheld, write_log
from tests.support.tried_policies import POLICIES, TOOLS

pytestmark = pytest.mark.usefixtures("opa_binary", "redis_binary")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on two logs, under a candidate with these replacements."""
    refused = [payment(at, 500 + at, Reason.POLICY_DENIED) for at in (0, 2, 4, 6)]
    write_log(tmp_path / "records", "authz-0", [*refused, withheld(payment(7, 5, Reason.ALLOWED))])
    write_log(tmp_path / "records", "authz-1", [payment(1, 5, Reason.ALLOWED), payment(3, 50, Reason.ALLOWED)])
    for name in ("agents", "tools"):
        (tmp_path / "draft" / name).mkdir(parents=True)
    (tmp_path / "draft" / "tools" / "tools.yaml").write_text(TOOLS)

    def ran(*words: str, old: str = "", new: str = "") -> Result:
        (tmp_path / "draft" / "agents" / "agents.yaml").write_text(POLICIES.replace(old, new) if old else POLICIES)
        paths = ["--records", str(tmp_path / "records"), "--candidate", str(tmp_path / "draft")]
        return CliRunner().invoke(policy.app, ["backtest", *paths, *words])

    return ran


def lines(result: Result, folder: Path) -> list[str]:
    return result.stdout.replace(f"{folder}/", "").splitlines()


def test_the_policies_of_then_change_nothing(run: Run) -> None:
    result = run()
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "nothing changes for 6 calls",
        "not judged: 1 call: the record holds not all parameters of the call, which is known by its digest alone",
    ]


def test_flips_are_grouped_by_rule_each_with_its_call(run: Run, tmp_path: Path) -> None:
    result = run(old="max_amount: 100", new="min_amount: 10")
    assert result.exit_code == 1
    assert lines(result, tmp_path) == [
        "decided more mildly, deny -> allow: 4 calls",
        "  by paying: allowed_tools[0] (draft/agents/agents.yaml:11)",
        (
            '  2026-11-30 12:00:00.000Z  acme/emea/payer payments-api pay (amount=500, payee="ACME")'
            "  [records/authz-0/00000001.jsonl line 1]"
        ),
        (
            '  2026-11-30 12:00:02.000Z  acme/emea/payer payments-api pay (amount=502, payee="ACME")'
            "  [records/authz-0/00000001.jsonl line 2]"
        ),
        (
            '  2026-11-30 12:00:04.000Z  acme/emea/payer payments-api pay (amount=504, payee="ACME")'
            "  [records/authz-0/00000001.jsonl line 3]"
        ),
        "  ... and 1 more; --all shows them",
        "",
        "decided more strictly, allow -> deny: 1 call",
        "  by paying: allowed_tools[0] amount min (draft/agents/agents.yaml:11)",
        (
            '  2026-11-30 12:00:01.000Z  acme/emea/payer payments-api pay (amount=5, payee="ACME")'
            "  [records/authz-1/00000001.jsonl line 1]"
        ),
        "",
        "5 of 6 calls changed: 4 decided more mildly, 1 decided more strictly",
        "before: 2 allow, 4 deny",
        "after: 5 allow, 1 deny",
        "not judged: 1 call: the record holds not all parameters of the call, which is known by its digest alone",
    ]
    assert "and 1 more" not in run("--all").stdout


def test_json_holds_every_flip_and_what_was_not_judged(run: Run) -> None:
    told = json.loads(run("--json", old="max_amount: 100", new="max_amount: 503").stdout)
    assert (told["judged"], told["changed"]) == (6, {"milder": 2, "stricter": 0, "other": 0})
    assert sum(told["not_judged"].values()) == 1
    assert [group["calls"] for group in told["groups"]] == [2]
    assert [change["parameters"]["amount"] for change in told["changes"]] == [500, 502]
    assert told["changes"][0]["decision_id"] == "d-0"
    assert told["changes"][0]["before"] == {"effect": "deny", "reason": "POLICY_DENIED"}


@pytest.mark.parametrize(
    ("fail_on", "new", "code"),
    [
        ("any", "max_amount: 10", 1),
        ("milder", "max_amount: 10", 0),
        ("milder", "max_amount: 1000", 1),
        ("never", "max_amount: 1000", 0),
    ],
)
def test_the_exit_code_is_of_the_flips_that_matter(run: Run, fail_on: str, new: str, code: int) -> None:
    assert run("--fail-on", fail_on, old="max_amount: 100", new=new).exit_code == code


def test_calls_of_a_period_alone_are_compared(run: Run) -> None:
    period = ("--since", "2026-11-30T12:00:02Z", "--until", "2026-11-30T12:00:04Z")
    told = json.loads(run(*period, "--json", old="max_amount: 100", new="max_amount: 1000").stdout)
    assert (told["judged"], told["changed"]["milder"]) == (2, 1)


def test_long_work_says_how_far_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    assert run().stderr == "7 records are done\n"


def test_a_candidate_that_is_wrong_was_not_tried(run: Run) -> None:
    assert run(old="max_amount: 100", new="max_amount: much").exit_code == 2


def test_no_records_are_no_success(run: Run, tmp_path: Path) -> None:
    run()
    result = CliRunner().invoke(
        policy.app, ["backtest", "--records", str(tmp_path / "draft"), "--candidate", str(tmp_path / "draft")]
    )
    assert (result.exit_code, "holds no record log" in result.stderr) == (2, True)


def sealed(record: DecisionRecord, auditor: bytes) -> DecisionRecord:
    """The record as an authorizer seals it, unless it holds not all of its call anyway."""
    if record.withheld:
        return record
    return replace(record, parameters={}, withheld=1, path="", sealed=sealed_for(auditor, record))


def test_sealed_calls_are_decided_by_who_has_the_key_as_in_the_clear(run: Run, tmp_path: Path) -> None:
    clear = run("--json", old="max_amount: 100", new="max_amount: 503")
    made = make_auditor_key(tmp_path / "auditor.pem")
    auditor = read_public_key(made.public)
    logs = {log.folder.name: [*log.oldest_first()] for log in log_files(tmp_path / "records")}
    shutil.rmtree(tmp_path / "records")
    for writer, written in logs.items():
        records = [read_record(line.raw) for line in written]
        write_log(
            tmp_path / "records",
            writer,
            [sealed(record, auditor) for record in records if isinstance(record, DecisionRecord)],
        )

    without = json.loads(run("--json", old="max_amount: 100", new="max_amount: 503").stdout)
    opened = run("--json", "--open", str(tmp_path / "auditor.pem"), old="max_amount: 100", new="max_amount: 503")

    assert json.loads(opened.stdout) == json.loads(clear.stdout)
    assert without["judged"] == 0
    assert any(made.name in why for why in without["not_judged"])
