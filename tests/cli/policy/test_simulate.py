"""`aegis policy simulate` on files of calls, with a real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from tests.support.tried_policies import POLICIES, written_folders

Run = Callable[..., Result]


def payment(amount: float, payee: str = "ACME") -> str:
    parameters = {"amount": amount, "payee": payee}
    return json.dumps({"agent": "acme/emea/payer", "tool": "payments-api", "action": "pay", "parameters": parameters})


CALLS = "\n".join([payment(5), payment(500), payment(5, "Initech")])


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on these calls and the folder's documents."""
    policies, tools = written_folders(tmp_path)

    def ran(*words: str | Path, calls: str = CALLS) -> Result:
        arguments = ["simulate", "-", "--policies", policies, "--tools", tools, *words]
        return CliRunner().invoke(policy.app, [str(word) for word in arguments], input=calls)

    return ran


@pytest.fixture
def milder(tmp_path: Path) -> Path:
    """A folder in which more may be paid."""
    folder = tmp_path / "milder"
    folder.mkdir()
    (folder / "agents.yaml").write_text(POLICIES.replace("max_amount: 100", "max_amount: 1000"), "utf-8")
    return folder


def rows(result: Result) -> list[list[str]]:
    return [line.split() for line in result.output.splitlines() if line.split()]


def test_each_call_is_a_row_and_all_are_counted(run: Run) -> None:
    result = run()

    assert result.exit_code == 0
    call = ["acme/emea/payer", "payments-api", "pay"]
    assert [*["1"], *call, "amount=5,", 'payee="ACME"', "allow", "ALLOWED"] in rows(result)
    assert [
        *["2"], *call, "amount=500,", 'payee="ACME"', "deny", "POLICY_DENIED", "paying:", "amount", "max",
    ] in rows(result)  # fmt: skip
    assert result.output.splitlines()[-1] == (
        "3 calls: 1 allow, 1 approval_needed, 1 deny (ALLOWED 1, APPROVAL_NEEDED 1, POLICY_DENIED 1)"
    )


def test_calls_are_read_from_a_file(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "calls.yaml"
    file.write_text(f"- {payment(5)}\n- {payment(6)}\n")
    folders = ["--policies", str(tmp_path / "policies"), "--tools", str(tmp_path / "tools")]

    result = CliRunner().invoke(policy.app, ["simulate", str(file), *folders])

    assert result.output.splitlines()[-1] == "2 calls: 2 allow (ALLOWED 2)"


def test_of_many_calls_the_first_are_shown(run: Run) -> None:
    calls = "\n".join(payment(amount) for amount in range(60))

    few, everything = run(calls=calls), run("--all", calls=calls)

    assert "… and 35 more calls; --all shows them" in few.output
    assert "more calls" not in everything.output
    assert sum("ALLOWED" in line for line in everything.output.splitlines()) == 61


def test_json_holds_every_call_with_its_decision(run: Run) -> None:
    told = json.loads(run("--json", calls="\n".join(payment(amount) for amount in range(60))).stdout)

    assert told["summary"] == {"calls": 60, "effects": {"allow": 60}, "reasons": {"ALLOWED": 60}}
    assert [one["line"] for one in told["calls"]] == [*range(1, 61)]
    assert told["calls"][7]["call"]["parameters"]["amount"] == 7
    assert told["calls"][7]["decided"]["policies"] == ["paying"]


def test_against_others_only_what_changes_is_shown(run: Run, milder: Path) -> None:
    result = run("--against", milder)

    assert result.exit_code == 0
    [row] = [row for row in rows(result) if "payments-api" in row]
    assert (row[0], row[6:9]) == ("2", ["stricter", "allow", "deny"])
    assert result.output.splitlines()[-3:] == [
        "before: 3 calls: 2 allow, 1 approval_needed (ALLOWED 2, APPROVAL_NEEDED 1)",
        "after: 3 calls: 1 allow, 1 approval_needed, 1 deny (ALLOWED 1, APPROVAL_NEEDED 1, POLICY_DENIED 1)",
        "1 of 3 calls changed: 1 decided more strictly",
    ]


def test_a_change_can_be_a_failure(run: Run, milder: Path, tmp_path: Path) -> None:
    assert run("--against", milder, "--fail-on-change").exit_code == 1
    assert run("--against", tmp_path / "policies", "--fail-on-change").exit_code == 0


def test_the_same_documents_change_nothing(run: Run, tmp_path: Path) -> None:
    assert run("--against", tmp_path / "policies").output.splitlines()[-1] == "nothing changes for 3 calls"


def test_changes_of_the_terms_alone_are_shown_as_such(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "agents.yaml").write_text(POLICIES.replace("groups: [finance]", "groups: [anybody]"), "utf-8")

    result = run("--against", other)

    assert "other approval" in " ".join(result.output.split())
    assert result.output.splitlines()[-1] == "1 of 3 calls changed: 1 same effect on other terms"


def test_changes_are_told_as_json(run: Run, milder: Path) -> None:
    told = json.loads(run("--against", milder, "--json").stdout)

    [change] = told["changes"]
    assert told["changed"] == {"stricter": 1, "milder": 0, "other": 0}
    assert (change["line"], change["direction"], change["members"]) == (2, "stricter", ["effect", "reason"])
    assert (change["before"]["effect"], change["after"]["effect"]) == ("allow", "deny")
    assert told["before"]["effects"] == {"allow": 2, "approval_needed": 1}


def test_with_one_wrong_call_nothing_is_decided(run: Run) -> None:
    result = run(calls=f"{payment(5)}\n{payment(5).replace('amount', 'amont')}\n")

    assert result.exit_code == 2
    assert "standard input:2:86: parameters.amont: action 'pay' declares no parameter 'amont'" in result.stderr
    assert result.stdout == ""


def test_wrong_calls_are_told_as_json(run: Run) -> None:
    result = run("--json", calls="- 5\n")

    assert result.exit_code == 2
    assert json.loads(result.stdout)["problems"][0]["message"] == "must be a mapping, not the number 5"


def test_wrong_documents_to_compare_with_are_told_with_their_place(run: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / "agents.yaml").write_text("agnt: x\n")

    result = run("--against", wrong)

    assert result.exit_code == 2
    assert f"{wrong / 'agents.yaml'}:1:1: agnt: unknown key" in result.stderr


def test_without_anything_to_compare_with_no_change_can_fail(run: Run) -> None:
    result = run("--fail-on-change")

    assert (result.exit_code, "--fail-on-change needs --against" in result.stderr) == (2, True)


def test_a_file_that_is_not_there_cannot_be_simulated(tmp_path: Path) -> None:
    policies, tools = written_folders(tmp_path)

    result = CliRunner().invoke(
        policy.app, ["simulate", "nowhere.yaml", "--policies", str(policies), "--tools", str(tools)]
    )

    assert (result.exit_code, "nowhere.yaml" in result.stderr) == (2, True)


def test_limits_are_counted_where_that_is_asked_for_and_else_it_is_said_that_they_are_not(
    run: Run, tmp_path: Path, redis_binary: Path
) -> None:
    file = tmp_path / "policies" / "agents.yaml"
    text = file.read_text("utf-8").replace(
        "approval: {groups: [finance]}", "count: 1/day\n    approval: {groups: [finance]}", 1
    )
    file.write_text(text, "utf-8")
    calls = "\n".join([payment(5), payment(6)])

    alone, counted = run(calls=calls), run("--limits", calls=calls)

    assert alone.output.splitlines()[-2:] == [
        "2 calls: 2 allow (ALLOWED 2)",
        "2 calls meet limits, which are not counted here; --limits counts them, each call at its time",
    ]
    assert counted.output.splitlines()[-1] == "2 calls: 1 allow, 1 deny (ALLOWED 1, COUNT_EXCEEDED 1)"
    assert json.loads(run("--json", calls=calls).output)["uncounted"] == 2
    assert json.loads(run("--json", "--limits", calls=calls).output)["uncounted"] == 0


def test_a_lower_limit_changes_what_is_counted(run: Run, tmp_path: Path, redis_binary: Path) -> None:
    file, earlier = tmp_path / "policies" / "agents.yaml", tmp_path / "earlier"
    earlier.mkdir()
    approval = "approval: {groups: [finance]}"
    text = file.read_text("utf-8")
    (earlier / "agents.yaml").write_text(text.replace(approval, f"count: 2/day\n    {approval}", 1), "utf-8")
    file.write_text(text.replace(approval, f"count: 1/day\n    {approval}", 1), "utf-8")

    result = run("--limits", "--against", earlier, calls="\n".join([payment(5), payment(6)]))

    assert result.output.splitlines()[-1] == "1 of 2 calls changed: 1 decided more strictly"
