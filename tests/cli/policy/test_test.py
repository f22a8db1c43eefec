"""`aegis policy test` on folders, with a real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from aegis_authz.cli.policy.test import RunOptions, run_on_changes
from aegis_authz.cli.watching import each_change
from tests.support.tried_policies import MORE_TESTS, TESTS, written_folders

WRONG = TESTS.replace("effect: allow\n", "effect: deny\n").replace("reason: ALLOWED\n", "reason: POLICY_DENIED\n")

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on the folder's documents and these tests."""

    def ran(*arguments: str, tests: tuple[str, ...] = (TESTS, MORE_TESTS)) -> Result:
        policies, tools = written_folders(tmp_path, *tests)
        return CliRunner().invoke(policy.app, ["test", "--policies", str(policies), "--tools", str(tools), *arguments])

    return ran


def test_tests_that_pass_are_counted(run: Run) -> None:
    result = run()

    assert (result.exit_code, result.output) == (0, "8 passed\n")


def test_a_failure_is_one_line_with_its_place_and_both_sides(run: Run, tmp_path: Path) -> None:
    result = run(tests=(WRONG,))

    place = tmp_path / "policies" / "part0_test.yaml"
    assert result.exit_code == 1
    [line, summary] = result.output.splitlines()
    assert line == (
        f"{place}:5: a small payment is allowed: expected effect deny, reason POLICY_DENIED; "
        "decided allow ALLOWED; findings none"
    )
    assert summary == "3 passed, 1 failed"


def test_a_failure_tells_the_detail_and_the_findings(run: Run) -> None:
    result = run(tests=(TESTS.replace("{effect: deny, findings: [amount max]}", "{effect: allow}"),))

    assert "expected effect allow; decided deny POLICY_DENIED (paying: amount max); findings amount max" in (
        result.output
    )


def test_without_tests_nothing_was_proved(run: Run, tmp_path: Path) -> None:
    result = run(tests=())

    assert result.exit_code == 1
    assert f"no tests found: no file below {tmp_path / 'policies'} has a name that ends in _test.yaml" in result.stderr


def test_only_some_tests_can_be_run(run: Run) -> None:
    assert run("--only", "Globex").output == "1 passed\n"


def test_a_name_no_test_has_is_said(run: Run) -> None:
    result = run("--only", "nowhere")

    assert result.exit_code == 1
    assert "no test's name contains 'nowhere'; there are 8 others" in result.stderr


def test_tests_that_cannot_be_read_are_all_told(run: Run, tmp_path: Path) -> None:
    result = run(tests=("tests: 5\n", "tests: [{}]\n"))

    assert result.exit_code == 1
    assert f"{tmp_path / 'policies' / 'part0_test.yaml'}:1:8: tests: " in result.stderr
    assert f"{tmp_path / 'policies' / 'part1_test.yaml'}:1:9: tests[0].name: is required" in result.stderr


def test_tests_that_cannot_be_read_are_told_as_json(run: Run) -> None:
    result = run("--json", tests=("tests: 5\n",))

    assert result.exit_code == 1
    assert [one["field"] for one in json.loads(result.stdout)["problems"]] == ["tests"]


def test_a_folder_that_is_not_there_cannot_be_tested(tmp_path: Path) -> None:
    result = CliRunner().invoke(policy.app, ["test", "--policies", str(tmp_path / "x"), "--tools", str(tmp_path)])

    assert result.exit_code == 2
    assert "no such folder" in result.stderr


def test_without_an_opa_nothing_can_be_tested(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEGIS_OPA_BIN", str(tmp_path / "no-opa"))

    result = run()

    assert result.exit_code == 2
    assert result.stderr.startswith("aegis policy test: opa")


def test_folders_must_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert CliRunner().invoke(policy.app, ["test"]).exit_code == 2


def test_json_says_what_was_decided_of_each(run: Run) -> None:
    result = run("--json", tests=(WRONG,))

    said = json.loads(result.stdout)
    assert (said["passed"], said["failed"]) == (3, 1)
    assert [one["passed"] for one in said["tests"]] == [False, True, True, True]
    assert said["tests"][0]["differences"][0] == {
        "member": "effect",
        "line": 5,
        "expected": "deny",
        "decided": "allow",
    }
    terms = {"groups": ["finance"], "expires_in": 900, "approvals": 1, "confirm": [], "notify": []}
    assert said["tests"][2]["decided"]["approval"] == terms
    assert "coverage" not in said


def test_coverage_shows_what_no_test_tries(run: Run, tmp_path: Path) -> None:
    result = run("--coverage", tests=(TESTS,))

    lines = [line.split() for line in result.output.splitlines()]
    assert ["paying", "1/2", "4/4", "83.3%"] in lines
    assert ["all", "2/3", "4/4", "85.7%"] in lines
    place = tmp_path / "policies" / "agents.yaml"
    assert f"{place}:3: paying house-rules:denied_tools[0]: no case reaches this rule" in result.output
    assert result.exit_code == 0


def test_coverage_below_what_is_asked_for_fails(run: Run) -> None:
    result = run("--coverage-min", "90", tests=(TESTS,))

    assert result.exit_code == 1
    assert "85.7% are covered, less than 90%" in result.stderr


def test_coverage_that_suffices_does_not_fail(run: Run) -> None:
    assert run("--coverage-min", "85", tests=(TESTS,)).exit_code == 0


def test_coverage_is_told_as_json(run: Run, tmp_path: Path) -> None:
    told = json.loads(run("--coverage", "--json", tests=(TESTS,)).stdout)["coverage"]

    assert told["percent"] == 85.7
    assert told["policies"][0]["gaps"] == [
        {
            "file": str(tmp_path / "policies" / "agents.yaml"),
            "line": 3,
            "rule": "house-rules:denied_tools[0]",
            "what": "no case reaches this rule",
        }
    ]


def test_junit_holds_a_suite_a_file(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"

    run("--junit", str(report), tests=(WRONG, MORE_TESTS))

    root = Xml.fromstring(report.read_bytes())  # noqa: S314  # our own
    assert [(one.get("tests"), one.get("failures")) for one in root] == [("4", "1"), ("4", "0")]
    [failure] = root.iter("failure")
    assert failure.text is not None
    assert "expected effect deny" in failure.text


def test_junit_of_tests_that_cannot_be_read_is_no_success(run: Run, tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"

    run("--junit", str(report), tests=("tests: 5\n",))

    assert Xml.fromstring(report.read_bytes()).get("errors") == "1"  # noqa: S314


def test_watching_and_json_exclude_each_other(run: Run) -> None:
    assert run("--watch", "--json").exit_code == 2


def test_watching_runs_again_after_a_change_and_ends_quietly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policies, tools = written_folders(tmp_path, WRONG)
    waits = iter(("nothing happens", "repaired", "ended"))

    def wait() -> None:
        match next(waits):
            case "repaired":
                (policies / "part0_test.yaml").write_text(TESTS, "utf-8")
            case "ended":
                raise KeyboardInterrupt

    run_on_changes(
        RunOptions(policies, tools, coverage=False, coverage_min=None, junit=None, as_json=False, only=""), wait
    )

    told = capsys.readouterr().out.splitlines()
    assert [line for line in told if "passed" in line] == ["3 passed, 1 failed", "4 passed"]
    assert next(waits, None) is None


def test_watching_outlasts_documents_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policies, tools = written_folders(tmp_path, "tests: 5\n")
    changes = iter((TESTS,))

    def wait() -> None:
        text = next(changes, None)
        if text is None:
            raise KeyboardInterrupt
        (policies / "part0_test.yaml").write_text(text, "utf-8")

    run_on_changes(
        RunOptions(policies, tools, coverage=False, coverage_min=None, junit=None, as_json=False, only=""), wait
    )

    told = capsys.readouterr()
    assert "part0_test.yaml:1:8" in told.err
    assert "4 passed" in told.out


def test_documents_added_and_removed_are_changes(tmp_path: Path) -> None:
    waited: list[str] = []

    def wait() -> None:
        waited.append("")
        match len(waited):
            case 1:
                (tmp_path / "a.yaml").write_text("a", "utf-8")
            case 2:
                (tmp_path / "notes.txt").write_text("a", "utf-8")
            case 3:
                (tmp_path / "a.yaml").unlink()
            case _:
                raise KeyboardInterrupt

    runs_after: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        runs_after.extend(len(waited) for _ in each_change([tmp_path], wait))

    assert runs_after == [0, 1, 3]


IDENTITIES = "identities:\n  - {name: a key of nobody, key: abc, expect: {refused: unregistered}}\n"


def test_tests_of_identity_count_with_those_of_calls(run: Run) -> None:
    result = run(tests=(TESTS + "---\n" + IDENTITIES, IDENTITIES))

    assert (result.exit_code, result.output) == (0, "6 passed\n")


def test_tests_of_identity_need_no_others(run: Run) -> None:
    assert run("--only", "a key of nobody", tests=(IDENTITIES,)).output == "1 passed\n"


def test_a_failed_test_of_identity_is_one_line_and_a_failure_of_junit(run: Run, tmp_path: Path) -> None:
    wrong = IDENTITIES.replace("refused: unregistered", "agent: acme/emea/bot")
    result = run("--junit", str(tmp_path / "out.xml"), tests=(wrong,))

    assert result.exit_code == 1
    place = f"{tmp_path / 'policies' / 'part0_test.yaml'}:2: a key of nobody"
    assert result.output.splitlines() == [
        f"{place}: expected agent acme/emea/bot, refused none; decided agent none, refused unregistered",
        "0 passed, 1 failed",
    ]
    assert "agent is not as expected" in (tmp_path / "out.xml").read_text("utf-8")


def test_a_failed_test_of_identity_is_told_as_json(run: Run) -> None:
    wrong = IDENTITIES.replace("refused: unregistered", "agent: acme/emea/bot")
    [told] = json.loads(run("--json", tests=(wrong,)).output)["tests"]

    assert (told["passed"], told["decided"]["refused"]) == (False, "unregistered")
