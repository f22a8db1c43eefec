"""`aegis envoy`: the proxy's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Envoy's configuration.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Envoy's configuration."""


@app.command()
def render(out: Annotated[Path, typer.Option("--out", help="Folder to write into.", file_okay=False)]) -> None:
    """Write the configuration of a pod, from example settings and the example catalogue.

    Example: aegis envoy render --out deploy/envoy
    """
    from aegis_authz.proxy.example import write_deploy

    write_deploy(out)
    typer.echo(f"wrote the Envoy configuration into {out}")
