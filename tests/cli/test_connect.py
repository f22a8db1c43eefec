"""`aegis connect` as a user runs it, in a home folder of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from aegis_authz.agent.enrolment import Enrolment, agent_folder, write_enrolment
from aegis_authz.cli.app import app
from aegis_authz.core.scope import Scope

AGENT = "acme/emea/coding-agent"
SERVER = ("--server", "github=github/mcp")


def aegis(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["connect", *arguments])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "CLAUDE_CONFIG_DIR", "AEGIS_DIR"):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    folder = agent_folder(tmp_path / ".config" / "aegis" / "agents", Scope.parse(AGENT))
    folder.mkdir(parents=True)
    write_enrolment(folder, Enrolment(AGENT, "http://c/v1/token", "aegis", "mesh", "http://p", "http://r", "", ""))
    return tmp_path


def test_a_client_is_connected_and_taken_back(home: Path) -> None:
    settings = home / ".cursor" / "mcp.json"
    settings.parent.mkdir()
    settings.write_text('{"mcpServers": {"files": {"command": "npx"}}}')
    done = aegis("cursor", *SERVER)
    assert done.exit_code == 0
    assert f"cursor calls github through the mesh as {AGENT}" in done.stdout
    assert "not governed: files" in done.stderr
    entry = json.loads(settings.read_text())["mcpServers"]["github"]
    assert Path(entry["command"]).name == "aegis"
    assert entry["args"] == ["mcp", "proxy", "github/mcp", "--agent", AGENT]
    assert aegis("cursor", "--undo").exit_code == 0
    assert settings.read_text() == '{"mcpServers": {"files": {"command": "npx"}}}'
    again = aegis("cursor", "--undo")
    assert (again.exit_code, "taken back already" in again.stderr) == (1, True)


def test_a_file_that_the_user_names_comes_back_in_its_own_format(home: Path) -> None:
    settings = home / "mine.toml"
    settings.write_text('model = "o9"\n')
    assert aegis("codex", "--file", str(settings), *SERVER).exit_code == 0
    settings.write_text(settings.read_text().replace("o9", "o10"))
    done = aegis("codex", "--file", str(settings), "--undo")
    assert done.exit_code == 0, done.output
    assert settings.read_text().strip() == 'model = "o10"'


def test_a_dry_run_shows_the_change_and_makes_none(home: Path) -> None:
    settings = home / ".gemini" / "settings.json"
    settings.parent.mkdir()
    settings.write_text("{}\n")
    done = aegis("gemini", *SERVER, "--dry-run", "--signer", "http://127.0.0.1:7070")
    assert '+      "httpUrl": "http://127.0.0.1:7070/github/mcp"' in done.stdout
    assert settings.read_text() == "{}\n"
    assert not (home / ".config" / "aegis" / "connect").exists()


def test_a_projects_settings_and_any_file_can_be_changed(home: Path) -> None:
    assert aegis("vscode", *SERVER, "--project").exit_code == 0
    assert "github" in (home / "work" / ".vscode" / "mcp.json").read_text()
    assert json.loads(aegis("codex", *SERVER, "--file", "mine.toml", "--json").stdout)["governed"] == ["github"]
    assert "[mcp_servers.github]" in (home / "work" / "mine.toml").read_text()
    wrong = aegis("claude-desktop", *SERVER, "--project")
    assert (wrong.exit_code, "has no settings of a project" in wrong.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "say which client"),
        (("emacs",), "say which client"),
        (("cursor", "--server", "github"), "is not NAME=TOOL/PATH"),
        (("cursor",), "which servers?"),
        (("cursor", *SERVER, "--agent", "acme/emea/nobody"), "no agent acme/emea/nobody is enrolled"),
        (("cursor", *SERVER, "--agent", "nobody"), "must be org/tenant/agent"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(home: Path, arguments: tuple[str, ...], why: str) -> None:
    done = aegis(*arguments)
    assert (done.exit_code, why in done.stderr) == (2, True), done.stderr
    assert not (home / ".cursor").exists()


def test_an_inventory_names_each_server_of_nine_clients(home: Path) -> None:
    files = {
        ".claude.json": '{"mcpServers": {"a": {"type": "http", "url": "https://user:pw@a.example/mcp?key=secret"}},'
        ' "projects": {"/src": {"mcpServers": {"p": {"command": "uvx"}}}}}',
        ".config/Claude/claude_desktop_config.json": '{"mcpServers": {"b": {"command": "npx", "args": ["secret"]}}}',
        ".cursor/mcp.json": '{"mcpServers": {"c": {"command": "/usr/bin/aegis", "args": ["mcp", "proxy", "c/mcp"]}}}',
        ".config/Code/User/mcp.json": '{"servers": {"d": {"type": "http", "url": "http://127.0.0.1:7070/d/mcp"}}}',
        ".codex/config.toml": '[mcp_servers.e]\ncommand = "npx"\n',
        ".gemini/settings.json": '{"mcpServers": {"f": {"httpUrl": "https://f.example/mcp"}}}',
        ".codeium/windsurf/mcp_config.json": '{"mcpServers": {"g": {"serverUrl": "https://g.example/mcp"}}}',
        ".config/zed/settings.json": '{"context_servers": {"h": {"command": {"path": "/opt/h", "args": []}}}} // zed',
        ".continue/config.yaml": "mcpServers:\n  - name: i\n    command: npx\n",
        "work/.mcp.json": '{"mcpServers": {"j": {"command": "npx"}}}',
    }
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    done = aegis("--inventory", "--json", "--signer", "http://127.0.0.1:7070")
    rows = {row["server"]: row for row in json.loads(done.stdout)["servers"]}
    assert done.exit_code == 1
    assert sorted(rows) == [*"abcdefghij", "p"]
    assert {name for name, row in rows.items() if row["governed"]} == {"c", "d"}
    assert rows["a"]["reach"] == "https://a.example/mcp"
    assert (rows["b"]["reach"], rows["h"]["reach"], rows["p"]["client"]) == ("npx", "h", "claude-code")
    shown = aegis("--inventory").stdout
    assert "secret" not in shown + done.stdout
    assert "pw@" not in shown + done.stdout


def test_an_inventory_of_governed_servers_alone_is_fine_and_settings_that_cannot_be_read_are_not(home: Path) -> None:
    assert aegis("--inventory").stdout == "no client of this user has an MCP server\n"
    aegis("cursor", *SERVER)
    assert aegis("--inventory").exit_code == 0
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("[")
    broken = aegis("--inventory")
    assert (broken.exit_code, "unreadable" in broken.stderr) == (1, True)
