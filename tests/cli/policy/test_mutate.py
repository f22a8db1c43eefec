"""`aegis policy mutate` on folders, with a real OPA."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from tests.support.tried_policies import MORE_TESTS, TESTS, written_folders

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the command on the folder's documents and these tests."""

    def ran(*arguments: str, tests: tuple[str, ...]) -> Result:
        policies, tools = written_folders(tmp_path, *tests)
        return CliRunner().invoke(
            policy.app, ["mutate", "--policies", str(policies), "--tools", str(tools), *arguments]
        )

    return ran


def test_a_change_no_test_notices_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    result = run(tests=(TESTS,))

    place = tmp_path / "policies" / "agents.yaml"
    assert result.exit_code == 1
    assert (
        f"{place}:3: denied_tools[0]: the rule for payments-api is removed; nothing protects this line"
        in result.output.splitlines()
    )
    assert result.output.splitlines()[-1].endswith("mutants were noticed, 3 survived")


def test_good_tests_leave_no_survivor(run: Run) -> None:
    result = run(tests=(TESTS, MORE_TESTS))

    assert result.exit_code == 0
    assert len(result.output.splitlines()) == 1
    assert result.output.endswith("mutants were noticed, 0 survived\n")


def test_json_says_the_same(run: Run, tmp_path: Path) -> None:
    said = json.loads(run("--json", tests=(TESTS,)).stdout)

    assert said["tried"] == said["mutants"] == said["noticed"] + 3
    assert said["survivors"][-1] == {
        "file": str(tmp_path / "policies" / "agents.yaml"),
        "line": 3,
        "field": "denied_tools[0]",
        "change": "the rule for payments-api is removed",
    }


def test_only_some_can_be_tried(run: Run) -> None:
    result = run("--max", "2", tests=(TESTS, MORE_TESTS))

    assert result.exit_code == 0
    assert result.output.splitlines()[0] == "2 of 2 mutants were noticed, 0 survived"
    assert result.output.splitlines()[1].endswith(" others were not tried")


def test_tests_that_fail_anyway_prove_nothing(run: Run) -> None:
    result = run(tests=(TESTS.replace("effect: sanitize\n", "effect: deny\n"),))

    assert result.exit_code == 1
    assert "part0_test.yaml:19: records leave without numbers: expected effect deny" in result.stderr
    assert "1 tests fail as the policies are; make them pass first" in result.stderr
    assert result.stdout == ""


def test_without_tests_there_is_nothing_to_judge(run: Run) -> None:
    result = run(tests=())

    assert result.exit_code == 1
    assert "no tests found" in result.stderr


def test_tests_that_cannot_be_read_are_told(run: Run) -> None:
    result = run("--json", tests=("tests: 5\n",))

    assert result.exit_code == 1
    assert [one["field"] for one in json.loads(result.stdout)["problems"]] == ["tests"]
