"""The clients we know: where each keeps its servers, in which format, and in which words."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Format(Enum):
    """What a settings file is written in."""

    JSON = "json"  # with comments, as most clients read it
    TOML = "toml"
    YAML = "yaml"


@dataclass(frozen=True, slots=True)
class ClientKind:
    """One client. `files` are below the home folder, `project_files` below a project's; the first is written to.

    `section` leads to the servers. `url_member` is what a server reached by HTTP is named by, "" for a client that
    starts commands alone; `http_members` and `command_members` stand beside it.
    """

    name: str
    files: tuple[str, ...]
    project_files: tuple[str, ...]
    format: Format
    section: tuple[str, ...]
    url_member: str
    http_members: Mapping[str, str]
    command_members: Mapping[str, str]

    def own_files(self, home: Path, environment: Mapping[str, str]) -> Sequence[Path]:
        """Where the user's own settings may be."""
        moved = environment.get(_MOVED_BY.get(self.name, ""), "")
        if moved:
            return [Path(moved) / Path(self.files[0]).name]
        settings = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        if sys.platform == "darwin":
            settings = home / "Library" / "Application Support"
        prefix = ".config/"
        return [settings / file.removeprefix(prefix) if file.startswith(prefix) else home / file for file in self.files]


_MOVED_BY = {"codex": "CODEX_HOME", "claude-code": "CLAUDE_CONFIG_DIR"}
_STDIO = {"type": "stdio"}

KINDS: Mapping[str, ClientKind] = {
    kind.name: kind
    for kind in (
        ClientKind(
            *("claude-code", (".claude.json",), (".mcp.json",), Format.JSON, ("mcpServers",)),
            *("url", {"type": "http"}, _STDIO),
        ),
        ClientKind(
            *("claude-desktop", (".config/Claude/claude_desktop_config.json",), (), Format.JSON, ("mcpServers",)),
            *("", {}, {}),
        ),
        ClientKind(
            *("cursor", (".cursor/mcp.json",), (".cursor/mcp.json",), Format.JSON, ("mcpServers",)),
            *("url", {}, {}),
        ),
        ClientKind(
            *("vscode", (".config/Code/User/mcp.json",), (".vscode/mcp.json",), Format.JSON, ("servers",)),
            *("url", {"type": "http"}, _STDIO),
        ),
        ClientKind(
            *("codex", (".codex/config.toml",), (".codex/config.toml",), Format.TOML, ("mcp_servers",)),
            *("url", {}, {}),
        ),
        ClientKind(
            *("gemini", (".gemini/settings.json",), (".gemini/settings.json",), Format.JSON, ("mcpServers",)),
            *("httpUrl", {}, {}),
        ),
        ClientKind(
            *("windsurf", (".codeium/windsurf/mcp_config.json",), (), Format.JSON, ("mcpServers",)),
            *("serverUrl", {}, {}),
        ),
        ClientKind(
            *("zed", (".config/zed/settings.json",), (".zed/settings.json",), Format.JSON, ("context_servers",)),
            *("url", {}, {}),
        ),
        ClientKind(
            *("continue", (".continue/config.yaml",), (".continue/config.yaml",), Format.YAML, ("mcpServers",)),
            *("url", {}, {}),
        ),
    )
}
"""All clients whose servers an inventory names."""

CONNECTABLE = ("claude-code", "claude-desktop", "cursor", "vscode", "codex", "gemini")
"""Those whose settings are changed."""
