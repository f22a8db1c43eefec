"""`aegis policy init`: the first files of a policy folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.policy import app as policy
from aegis_authz.cli.policy import init as policy_init

WRITTEN = ["README.md", "agents/payments-agent.yaml", "agents/payments-agent_test.yaml", "tools/payments.yaml"]


def _run(*arguments: str, answers: str = "") -> Result:
    return CliRunner().invoke(policy.app, ["init", *arguments], input=answers)


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "policies"


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_init, "on_terminal", lambda: True)


def test_it_writes_files_that_are_valid(folder: Path) -> None:
    result = _run(str(folder), "--yes")
    assert result.exit_code == 0
    assert _files(folder) == WRITTEN
    checked = ["validate", "--policies", str(folder / "agents"), "--tools", str(folder / "tools")]
    validated = CliRunner().invoke(policy.app, checked)
    assert (validated.exit_code, validated.output) == (0, "valid: 1 policies, 1 tools\n")


def test_it_says_what_to_run_next(folder: Path) -> None:
    lines = _run(str(folder), "--yes").output.splitlines()
    assert lines[-5:-2] == [f"  cd {folder}", "  aegis policy validate", "  aegis policy test --coverage"]


def test_nothing_is_asked_away_from_a_terminal(folder: Path) -> None:
    result = _run(str(folder))
    assert result.exit_code == 0
    assert "Organisation" not in result.output


def test_names_can_be_given(folder: Path) -> None:
    result = _run(str(folder), "--org", "o", "--tenant", "t", "--agent", "a", "--tool", "crm", "--kind", "mcp")
    assert result.exit_code == 0
    assert _files(folder) == ["README.md", "agents/a.yaml", "agents/a_test.yaml", "tools/crm.yaml"]
    tool = (folder / "tools" / "crm.yaml").read_text()
    assert "host: crm.example" in tool
    assert "mcp:" in tool
    assert "agent: o/t/a" in (folder / "agents" / "a_test.yaml").read_text()


@pytest.mark.usefixtures("terminal")
def test_on_a_terminal_it_asks_what_is_not_given(folder: Path) -> None:
    result = _run(str(folder), "--org", "globex", answers="west\nbuyer\n\nshop.example:8443\nmcp\n")
    assert result.exit_code == 0
    assert "Organisation" not in result.output
    assert "Name of the tool it calls [payments]" in result.output
    assert "agent: globex/west/buyer" in (folder / "agents" / "buyer_test.yaml").read_text()
    tool = (folder / "tools" / "payments.yaml").read_text()
    assert "host: shop.example:8443" in tool
    assert "mcp:" in tool


@pytest.mark.usefixtures("terminal")
def test_an_answer_the_language_does_not_take_is_asked_for_again(folder: Path) -> None:
    result = _run(str(folder), "--org", "o", "--tool", "t", "--kind", "http", answers="\nMy Agent\nagent-1\n\n")
    assert result.exit_code == 0
    assert "must be lower-case letters and digits" in result.output
    assert "agents/agent-1.yaml" in _files(folder)


@pytest.mark.usefixtures("terminal")
def test_nothing_is_asked_with_yes_or_json(folder: Path, tmp_path: Path) -> None:
    assert "Organisation" not in _run(str(folder), "--yes").output
    assert json.loads(_run(str(tmp_path / "other"), "--json").output)["next"][1] == "aegis policy validate"


def test_json_names_what_was_written(folder: Path) -> None:
    said = json.loads(_run(str(folder), "--json").output)
    assert sorted(said["written"]) == [str(folder / path) for path in WRITTEN]


def test_nothing_is_overwritten(folder: Path) -> None:
    (folder / "agents").mkdir(parents=True)
    mine = folder / "agents" / "payments-agent.yaml"
    mine.write_text("agent: mine\n")
    result = _run(str(folder), "--yes")
    assert result.exit_code == 2
    assert str(mine) in result.output
    assert _files(folder) == ["agents/payments-agent.yaml"]
    assert mine.read_text() == "agent: mine\n"


def test_a_second_agent_joins_the_folder_of_the_first(folder: Path) -> None:
    assert _run(str(folder), "--yes").exit_code == 0
    (folder / "README.md").write_text("Ours.\n", encoding="utf-8")
    result = _run(str(folder), "--yes", "--agent", "refunds-agent")
    assert result.exit_code == 0, result.output
    assert _files(folder) == sorted([*WRITTEN, "agents/refunds-agent.yaml", "agents/refunds-agent_test.yaml"])
    assert "written: " + str(folder / "tools") not in result.output
    assert (folder / "README.md").read_text(encoding="utf-8") == "Ours.\n"
    checked = ["test", "--policies", str(folder / "agents"), "--tools", str(folder / "tools")]
    assert CliRunner().invoke(policy.app, checked).exit_code == 0


def test_a_tool_that_was_changed_meanwhile_is_not_taken_for_the_starter(folder: Path) -> None:
    assert _run(str(folder), "--yes").exit_code == 0
    with (folder / "tools" / "payments.yaml").open("a", encoding="utf-8") as file:
        file.write("owner: payments-team\n")
    before = _files(folder)
    result = _run(str(folder), "--yes", "--agent", "refunds-agent")
    assert result.exit_code == 2 and "payments.yaml" in result.stderr
    assert _files(folder) == before


def test_a_link_to_nowhere_counts_as_there(folder: Path) -> None:
    folder.mkdir()
    (folder / "README.md").symlink_to(folder / "absent")
    assert _run(str(folder), "--yes").exit_code == 2


@pytest.mark.parametrize(
    ("flag", "name"), [("--agent", "Bad Name"), ("--host", "https://a.example/"), ("--tool", "x_test"), ("--org", "*")]
)
def test_a_name_the_language_does_not_take_is_refused(folder: Path, flag: str, name: str) -> None:
    result = _run(str(folder), flag, name)
    assert result.exit_code == 2
    assert f"aegis policy init: {flag}: " in result.output
    assert not folder.exists()


def test_a_file_in_place_of_the_folder_is_told(folder: Path) -> None:
    folder.write_text("")
    result = _run(str(folder), "--yes")
    assert result.exit_code == 2
    assert "aegis policy init: " in result.output


def test_nothing_slow_is_loaded(folder: Path) -> None:
    """Under a second, on a machine where loading gRPC alone may take one."""
    run = "import sys; from aegis_authz.cli.app import app; app(sys.argv[1:], standalone_mode=False)"
    told = "; print([name for name in ('grpc', 'httpx', 'opentelemetry', 'cryptography') if name in sys.modules])"
    command = [sys.executable, "-c", run + told, "policy", "init", str(folder), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.splitlines()[-1] == "[]"
