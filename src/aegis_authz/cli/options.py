"""Options that several commands share, spelt once. What a command alone has stands with the command."""

from __future__ import annotations

import time
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

ShippingConfig = Annotated[
    Path | None, typer.Option("--config", help="The settings of the storage; default: DIR/shipping.yaml.")
]
OpenedWith = Annotated[
    list[Path] | None,
    typer.Option("--open", help="The private key of an auditor, to open what is sealed for it; repeatable."),
]

HERE = (Path("agents"), Path("tools"))
"""The folders of documents a command takes where it stands in a folder with both of them."""


def since_option(text: str, name: str = "--since") -> float:
    """Epoch seconds of what the option of that name says, 0 where it says nothing. Raises typer.BadParameter."""
    from aegis_authz.encoding.moments import read_moment

    try:
        return read_moment(text, time.time()) if text else 0.0
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint=name) from None


def records_folder(folder: Path | None, state: Path | None) -> Path:
    """Where the records are: the folder that was named, else that of the mesh in `state`."""
    return folder if folder is not None else (state or DEFAULT_STATE) / "records"


def shipping_file(config: Path | None, state: Path | None) -> Path:
    """The settings of the storage that segments are shipped to: those that were named, else those of the mesh."""
    return config if config is not None else (state or DEFAULT_STATE) / "shipping.yaml"
