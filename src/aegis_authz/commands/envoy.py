"""Envoy's configuration from settings and a tool catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import unable_on
from aegis_authz.config.proxy import ProxySettings
from aegis_authz.local.documents import example_documents
from aegis_authz.proxy.example import EXAMPLE, catalogue_in
from aegis_authz.proxy.render import config_files, write_files


@dataclass(frozen=True, slots=True)
class Rendered:
    """The files that were written, by name, and for how many tools."""

    files: tuple[str, ...]
    tools: int


@unable_on(SettingsError, ValueError, OSError)
def render_envoy(out: Path, config: Path | None, tools: Path | None) -> Rendered:
    """Write the configuration of an Envoy into a folder; `config` None is that of a pod, `tools` None the examples.

    Raises Unable, PolicyErrors for the tools.
    """
    settings = load_settings(config, ProxySettings) if config is not None else EXAMPLE
    catalogue = catalogue_in(tools or example_documents() / "tools")
    files = config_files(settings, catalogue)
    write_files(out, files)
    return Rendered(tuple(files), len(catalogue.by_name))


@dataclass(frozen=True, slots=True)
class ToolRoute:
    """Where the calls of a tool are forwarded, and the digest by which a gateway says so."""

    tool: str
    host: str
    upstream: str
    route: str


@unable_on(ValueError, OSError)
def tool_routes(tools: Path | None) -> tuple[ToolRoute, ...]:
    """The route of each tool in a folder, None for the examples. Raises Unable, PolicyErrors."""
    catalogue = catalogue_in(tools or example_documents() / "tools")
    return tuple(
        ToolRoute(tool.name, tool.authority, f"{tool.place.scheme}://{tool.place.host}:{tool.place.port}", tool.route)
        for _, tool in sorted(catalogue.by_name.items())
    )
