"""Clients' settings changed and taken back, in every format."""

from __future__ import annotations

import json
import stat
import tomllib
from pathlib import Path

import pytest

from aegis_authz.agent.clients.backups import BackupFault, backup_path
from aegis_authz.agent.clients.connecting import MeshServer, Plan, carry_out, connection, disconnection
from aegis_authz.agent.clients.kinds import CONNECTABLE, KINDS, ClientKind
from aegis_authz.agent.clients.rewriting import Route
from aegis_authz.agent.clients.servers import SettingsFault, read_servers, server_of
from aegis_authz.core.json_value import Json

COMMAND = Route("", "/bin/aegis", ("mcp", "proxy", "github/mcp"))
SIGNER = Route("http://127.0.0.1:7070/github/mcp", "/bin/aegis", ("mcp", "proxy", "github/mcp"))
GITHUB = MeshServer("github", "github.mcp.example", COMMAND)

JSON_BEFORE = """\
{
  // servers of mine
  "%s": {
    "hub": {"%s": "https://github.mcp.example/mcp", "headers": {"authorization": "Bearer secret"}},
    "files": {"command": "npx", "args": ["server-filesystem"], "env": {"KEY": "secret"}}, // later
  },
  "other": 1.50
}
"""
TOML_BEFORE = """\
# mine
model = "o9"   # the good one

[mcp_servers.hub]
url = "https://github.mcp.example/mcp"

[mcp_servers.files]
command = "npx"
args = ["server-filesystem"]
"""


def before(kind: ClientKind) -> str:
    if kind.name == "codex":
        return TOML_BEFORE
    return JSON_BEFORE % (kind.section[0], kind.url_member or "url")


def connect(file: Path, kind: ClientKind, server: MeshServer = GITHUB) -> Plan:
    plan = connection(file, kind, [server], file.parent / "backups")
    carry_out(plan, file.parent / "backups")
    return plan


def undo(file: Path, kind: ClientKind) -> None:
    plan = disconnection(file, kind, file.parent / "backups")
    assert plan is not None
    carry_out(plan, file.parent / "backups")


@pytest.fixture(params=CONNECTABLE)
def kind(request: pytest.FixtureRequest) -> ClientKind:
    return KINDS[request.param]


def test_a_server_is_led_by_its_host_and_the_rest_stays(kind: ClientKind, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(before(kind))
    plan = connect(file, kind)
    assert (plan.led, plan.left) == (("hub",), ("files",))
    hub, files = read_servers(file, kind)
    assert (hub.name, hub.command, hub.arguments) == ("hub", "/bin/aegis", ("mcp", "proxy", "github/mcp"))
    assert (files.command, files.is_governed(())) == ("npx", False)
    text = file.read_text()
    assert all(
        note in text
        for note in (
            ("# mine", "# the good one") if kind.name == "codex" else ("// servers of mine", "// later", "1.50")
        )
    )


def test_undoing_restores_byte_for_byte(kind: ClientKind, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    content = (
        b"\xef\xbb\xbf" + before(kind).replace("\n", "\r\n").encode() if kind.name != "codex" else before(kind).encode()
    )
    file.write_bytes(content)
    file.chmod(0o640)
    connect(file, kind)
    connect(file, kind)  # twice is as once
    assert file.read_bytes() != content
    undo(file, kind)
    assert file.read_bytes() == content
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert disconnection(file, kind, tmp_path / "backups") is None


def test_without_settings_some_are_made_and_taken_away_again(kind: ClientKind, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "settings"
    plan = connect(file, kind)
    assert plan.led == ("github",)
    (server,) = read_servers(file, kind)
    assert server.is_governed(())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    undo(file, kind)
    assert not file.exists()


def test_what_the_client_wrote_in_between_survives_the_undoing(kind: ClientKind, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(before(kind))
    connect(file, kind)
    file.write_text(file.read_text().replace("1.50", "2.75").replace("o9", "o10"))
    undo(file, kind)
    hub, files = read_servers(file, kind)
    assert hub.url == "https://github.mcp.example/mcp"
    assert files.command == "npx"
    assert ("o10" if kind.name == "codex" else "2.75") in file.read_text()


def test_an_entry_that_somebody_changed_since_is_theirs(tmp_path: Path) -> None:
    kind = KINDS["cursor"]
    file = tmp_path / "settings"
    file.write_text("{}")
    connect(file, kind)
    file.write_text(file.read_text().replace("/bin/aegis", "/opt/aegis"))
    undo(file, kind)
    assert [server.command for server in read_servers(file, kind)] == ["/opt/aegis"]


@pytest.mark.parametrize(
    ("client", "entry"),
    [
        ("claude-code", {"type": "http", "url": SIGNER.url}),
        ("claude-desktop", {"command": "/bin/aegis", "args": ["mcp", "proxy", "github/mcp"]}),
        ("cursor", {"url": SIGNER.url}),
        ("vscode", {"type": "http", "url": SIGNER.url}),
        ("codex", {"url": SIGNER.url}),
        ("gemini", {"httpUrl": SIGNER.url}),
    ],
)
def test_a_client_that_speaks_http_is_led_to_a_signer(client: str, entry: dict[str, object], tmp_path: Path) -> None:
    kind = KINDS[client]
    file = tmp_path / "settings"
    connect(file, kind, MeshServer("github", "", SIGNER))
    text = file.read_text()
    settings = tomllib.loads(text) if client == "codex" else json.loads(text)
    assert settings[kind.section[0]]["github"] == entry
    (server,) = read_servers(file, kind)
    assert server.is_governed(["http://127.0.0.1:7070"])
    assert server.is_governed(["http://127.0.0.1:707"]) is (client == "claude-desktop")


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "npx", "args": ["files"], "url": SIGNER.url},
        {"command": "aegis", "args": ["mcp", "proxy"], "url": "https://elsewhere.example/mcp"},
        {"command": "./aegis", "args": ["mcp", "proxy"]},
        {"command": "bin/aegis", "args": ["mcp", "proxy"]},
        {"command": "${CLAUDE_PROJECT_DIR}/aegis", "args": ["mcp", "proxy"]},
        {"command": "aegis", "args": ["mcp", "serve"]},
        {},
    ],
)
def test_a_server_that_may_be_reached_past_the_mesh_is_not_governed(entry: dict[str, Json]) -> None:
    assert not server_of(("mcpServers", "files"), entry).is_governed(["http://127.0.0.1:7070"])


def test_servers_of_projects_in_the_users_file_are_led_too(tmp_path: Path) -> None:
    kind = KINDS["claude-code"]
    file = tmp_path / "settings"
    file.write_text(json.dumps({"projects": {"/src": {"mcpServers": {"github": {"url": "http://elsewhere/mcp"}}}}}))
    connect(file, kind)
    assert [(server.path[0], server.is_governed(())) for server in read_servers(file, kind)] == [("projects", True)]


def test_settings_that_are_a_link_stay_one(tmp_path: Path) -> None:
    kind = KINDS["cursor"]
    (tmp_path / "dotfiles").write_text("{}")
    file = tmp_path / "settings"
    file.symlink_to("dotfiles")
    connect(file, kind)
    assert file.is_symlink()
    undo(file, kind)
    assert (tmp_path / "dotfiles").read_text() == "{}"


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[1", b'{"mcpServers": []}'])
def test_settings_that_cannot_be_read_are_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_bytes(content)
    with pytest.raises(SettingsFault, match=str(file)):
        connect(file, KINDS["cursor"])
    assert file.read_bytes() == content


def test_a_backup_is_its_owners_alone_and_a_broken_one_is_said(tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text("{}")
    connect(file, KINDS["cursor"])
    path = backup_path(tmp_path / "backups", file)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("{}")
    with pytest.raises(BackupFault, match="cannot be read"):
        disconnection(file, KINDS["cursor"], tmp_path / "backups")
