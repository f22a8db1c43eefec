"""`aegis envoy`: the proxy's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import told, unusable

app = typer.Typer(help="Envoy's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Envoy's configuration."""


@app.command()
def render(
    out: Annotated[Path, typer.Option("--out", help="Folder to write into.", file_okay=False)],
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="Settings of the proxy (YAML); default: those of a pod.", exists=True, dir_okay=False
        ),
    ] = None,
    tools: Annotated[
        Path | None, typer.Option("--tools", help="Folder of tool catalogues; default: the examples.", file_okay=False)
    ] = None,
) -> None:
    """Write envoy.yaml, and the files of routes and clusters that it watches. Exits with 1 when the tools are invalid, 2 when it cannot.

    An Envoy that watches the folder takes new routes and clusters at once.

    Example: aegis envoy render --out /etc/aegis/envoy --config proxy.yaml --tools policies/tools
    """
    from aegis_authz.bootstrap.settings import load_settings
    from aegis_authz.config import ProxySettings
    from aegis_authz.local.documents import example_documents
    from aegis_authz.proxy.example import EXAMPLE, catalogue_in
    from aegis_authz.proxy.render import config_files, write_files

    with told("envoy render"):
        settings = load_settings(config, ProxySettings) if config is not None else EXAMPLE
        catalogue = catalogue_in(tools or example_documents() / "tools")
        try:
            files = config_files(settings, catalogue)
        except ValueError as fault:
            raise unusable("envoy render", str(fault)) from None
        write_files(out, files)
    typer.echo(f"{out}: {', '.join(files)} for {len(catalogue.by_name)} tools")
