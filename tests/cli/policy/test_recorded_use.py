"""`aegis policy shadow-report` and `aegis policy unused` on logs as authorizers write them, with a real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from aegis_authz.core.reason import Reason
from tests.support.recorded_payments import payment, withheld, write_log
from tests.support.tried_policies import POLICIES, TOOLS

Run = Callable[..., Result]

SHADOW = """\
---
org: acme
tenant: emea
agent: payer
name: stricter
mode: shadow
allowed_tools:
  - name: payments-api
    actions: [pay]
    conditions: {max_amount: 10}
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on a log and the small folder with a shadow document."""
    would = [replace(payment(at, 50 + at, Reason.ALLOWED), would="deny") for at in range(5)]
    fine = replace(payment(10, 5, Reason.ALLOWED), would="allow")
    unknown = withheld(replace(payment(11, 50, Reason.ALLOWED), would="deny"))
    other = replace(payment(12, 5, Reason.ALLOWED), would="deny")
    write_log(tmp_path / "records", "authz-0", [*would, fine, unknown, other, payment(13, 5, Reason.ALLOWED)])
    for name, text in (("agents", POLICIES + SHADOW), ("tools", TOOLS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.yaml").write_text(text)

    def ran(*words: str) -> Result:
        folders = ["--policies", str(tmp_path / "agents"), "--tools", str(tmp_path / "tools")]
        return CliRunner().invoke(policy.app, [*words, "--records", str(tmp_path / "records"), *folders])

    return ran


@pytest.mark.usefixtures("opa_binary")
def test_the_shadow_report_groups_calls_by_the_rule_that_would_have_had_the_word(run: Run, tmp_path: Path) -> None:
    result = run("shadow-report")
    assert result.exit_code == 0, result.output
    blocks = result.stdout.replace(f"{tmp_path}/", "").split("\n\n")
    assert blocks[0].splitlines() == [
        "would have been denied: 5 calls of 1 agent",
        "  by stricter: allowed_tools[0] amount max (agents/agents.yaml:37)",
        *(
            f"  2026-11-30 12:00:0{at}.000Z  acme/emea/payer payments-api pay "
            f'(amount={50 + at}, payee="ACME")  [records/authz-0/00000001.jsonl line {at + 1}]'
            for at in range(3)
        ),
        "  ... and 2 more; --all shows them",
    ]
    assert [block.splitlines()[1].split(":")[0] for block in blocks[1:3]] == [
        "  by not known",
        "  by other shadow documents than these",
    ]
    assert blocks[-1] == "shadow documents spoke of 8 calls, and would have decided 7 more strictly\n"


@pytest.mark.usefixtures("opa_binary")
def test_the_shadow_report_as_json_holds_every_call_of_the_time(run: Run) -> None:
    told = json.loads(run("shadow-report", "--json", "--since", "2026-11-30T12:00:03Z").stdout)
    assert (told["calls"], told["would"]) == (5, {"deny": 4})
    assert [call["parameters"] for call in told["stricter"]][:2] == [
        {"amount": 53, "payee": "ACME"},
        {"amount": 54, "payee": "ACME"},
    ]


def test_a_right_that_no_call_used_is_told_with_its_rule(run: Run, tmp_path: Path) -> None:
    result = run("unused", "--since", "2026-11-30T11:00Z")
    assert result.stdout.replace(f"{tmp_path}/", "").splitlines() == [
        "reading: allowed_tools[0] (agents/agents.yaml:26)",
        "  acme/emea/reader: records-api read",
        "1 of 2 rights of 2 agents not used since 2026-11-30 11:00Z",
        "the records begin later, at 2026-11-30 12:00Z",
    ]


def test_a_use_before_the_time_is_none(run: Run) -> None:
    told = json.loads(run("unused", "--json", "--since", "2026-11-30T12:01Z").stdout)
    assert [(right["agent"], right["action"]) for right in told["unused"]] == [
        ("acme/emea/payer", "pay"),
        ("acme/emea/reader", "read"),
    ]
    assert told["first_record"] == 1_796_040_000.0


def test_lines_that_cannot_be_read_are_told_for_they_may_be_a_use(run: Run, tmp_path: Path) -> None:
    log = next((tmp_path / "records").glob("*/00000001.jsonl"))
    log.write_bytes(log.read_bytes() + b"no record\n")
    words = "unreadable, and perhaps a use: 1 line; aegis audit verify says which"
    assert run("unused").stdout.splitlines()[-1] == words
    assert json.loads(run("unused", "--json").stdout)["unreadable"] == 1
