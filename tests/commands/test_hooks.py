"""`aegis connect --hooks` as a user runs it, beside clients of each version."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.cli.app import app

URL = "http://127.0.0.1:7171"


def aegis(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["connect", *arguments])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "AEGIS_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for program, printed in (("claude", "2.1.295 (Claude Code)"), ("codex", "codex-cli 0.130.0"), ("cursor", "3.10.0")):
        install(tmp_path, program, printed)
    return tmp_path


def install(home: Path, program: str, printed: str) -> None:
    path = home / "programs" / program
    path.write_text(f"#!/bin/sh\necho '{printed}'\n")
    path.chmod(0o755)


def test_claude_code_is_told_to_call_nothing_without_an_answer(home: Path) -> None:
    done = aegis("claude-code", "--hooks", URL)
    assert done.exit_code == 0, done.output
    (entry,) = json.loads((home / ".claude" / "settings.json").read_text())["hooks"]["PreToolUse"]
    hook = {"type": "http", "url": f"{URL}/v1/hooks/claude-code", "timeout": 60, "onFailure": "block"}
    assert entry == {"hooks": [hook]}


def test_cursor_and_codex_are_given_a_command_and_codex_users_a_warning(home: Path) -> None:
    assert aegis("cursor", "--hooks", URL).stderr == ""
    settings = json.loads((home / ".cursor" / "hooks.json").read_text())
    assert settings["version"] == 1
    assert settings["hooks"]["preToolUse"][0]["failClosed"] is True
    assert "until then calls every tool unasked" in aegis("codex", "--hooks", URL).stderr
    assert "PreToolUse" in json.loads((home / ".codex" / "hooks.json").read_text())["hooks"]


@pytest.mark.parametrize(
    ("client", "program", "printed"),
    [
        ("claude-code", "claude", "2.1.294 (Claude Code)"),
        ("claude-code", "claude", "next"),
        ("codex", "codex", "codex-cli 0.123.9"),
        ("cursor", "cursor", "3.8.0"),
    ],
)
def test_a_version_that_cannot_fail_closed_is_refused(client: str, program: str, printed: str, home: Path) -> None:
    install(home, program, printed)
    done = aegis(client, "--hooks", URL)
    assert done.exit_code == 1
    assert "although its hook failed: update it to" in done.stderr
    assert not (home / f".{program}").exists()


def test_a_client_that_is_not_there_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(home))
    done = aegis("claude-code", "--hooks", URL)
    assert (done.exit_code, "does not say its version" in done.stderr) == (1, True)


@pytest.mark.parametrize("url", ["http://door.example", "https://127.0.0.1:1", "127.0.0.1:7171", f"{URL}/x"])
def test_a_door_that_is_not_on_this_machine_is_refused(url: str) -> None:
    done = aegis("claude-code", "--hooks", url)
    assert done.exit_code != 0
    assert "is not the address of an aegis agent hooks on this machine" in done.stderr


def test_hooks_of_others_stay_and_all_comes_back_as_it_was(home: Path) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    before = '{\n  // mine\n  "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": []}]},\n  "model": "x"\n}\n'
    settings.write_text(before)
    assert aegis("claude-code", "--hooks", URL).exit_code == 0
    assert aegis("claude-code", "--hooks", "http://127.0.0.1:7172").exit_code == 0
    text = settings.read_text()
    assert "// mine" in text
    assert ("7171" in text, "7172" in text, '"matcher": "Bash"' in text) == (False, True, True)
    assert aegis("claude-code", "--undo").exit_code == 0
    assert settings.read_text() == before
    assert aegis("claude-code", "--undo").exit_code == 1


def test_hooks_in_a_file_that_the_user_names_come_back(home: Path) -> None:
    settings = home / "mine.json"
    assert aegis("codex", "--file", str(settings), "--hooks", URL).exit_code == 0
    settings.write_text(settings.read_text().replace("{", '{"own": 1,', 1))
    assert aegis("codex", "--file", str(settings), "--undo").exit_code == 0
    assert "PreToolUse" not in settings.read_text()


def test_what_somebody_added_since_survives_the_undoing(home: Path) -> None:
    assert aegis("cursor", "--hooks", URL).exit_code == 0
    settings = home / ".cursor" / "hooks.json"
    document = json.loads(settings.read_text())
    document["hooks"]["preToolUse"].append({"command": "mine"})
    settings.write_text(json.dumps(document))
    assert aegis("cursor", "--undo").exit_code == 0
    assert json.loads(settings.read_text())["hooks"]["preToolUse"] == [{"command": "mine"}]
