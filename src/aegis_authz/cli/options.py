"""Options that several commands share, spelt once. What a command alone has stands with the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DEFAULT_STATE = Path(".aegis")
DIR_VARIABLE = "AEGIS_DIR"
MeshState = Annotated[Path, typer.Option("--dir", envvar=DIR_VARIABLE, help="The state folder of the mesh.")]
OptionalState = Annotated[
    Path | None,
    typer.Option("--dir", envvar=DIR_VARIABLE, help="The state folder of a mesh.", show_default=".aegis"),
]
Org = Annotated[str, typer.Option("--org", help="The organisation.")]
Tenant = Annotated[str, typer.Option("--tenant", help="The tenant.")]
Agent = Annotated[str, typer.Option("--agent", help="The agent.")]

HERE = (Path("agents"), Path("tools"))
"""The folders of documents a command takes where it stands in a folder with both of them."""
