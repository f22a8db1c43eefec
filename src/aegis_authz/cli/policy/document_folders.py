"""Which folders of documents a command is about: those given, those of a mesh, or those one stands in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, DIR_VARIABLE, HERE

Policies = Annotated[
    Path | None, typer.Option("--policies", help="Folder of policy documents; default: ./agents beside ./tools.")
]
Tools = Annotated[Path | None, typer.Option("--tools", help="Folder of tool catalogues; default: ./tools.")]
OptionalMesh = Annotated[
    Path | None, typer.Option("--dir", envvar=DIR_VARIABLE, help="Take the folders of this mesh.", show_default=False)
]


def document_folders(command: str, policies: Path | None, tools: Path | None, state: Path | None) -> tuple[Path, Path]:
    """The folders of policies and tools; what is not given is the mesh's, or `agents` and `tools` below this folder, or
    those of the mesh in `.aegis`.

    Raises typer.Exit, Unable.
    """
    from aegis_authz.commands.control import mesh_folders

    if policies is not None and tools is not None:
        return policies, tools
    if state is None and not all(folder.is_dir() for folder in HERE) and DEFAULT_STATE.is_dir():
        state = DEFAULT_STATE
    if state is not None:
        defaults = mesh_folders(state)
        return policies or defaults.policies, tools or defaults.tools
    if all(folder.is_dir() for folder in HERE):
        return policies or HERE[0], tools or HERE[1]
    raise unusable(
        command, "give --policies and --tools, or --dir of a mesh, or stand in a folder with agents/ and tools/"
    )


def candidate_folders(command: str, candidate: Path, tools: Path | None, state: Path | None) -> tuple[Path, Path]:
    """The folders of a candidate's policies and tools: its own `agents` and `tools` where it has them, else the folder
    itself and the tools that are given or the mesh's.

    Raises typer.Exit, Unable.
    """
    agents, own_tools = (candidate / folder for folder in HERE)
    policies = agents if agents.is_dir() else candidate
    if tools is None and policies is agents and own_tools.is_dir():
        tools = own_tools
    return document_folders(command, policies, tools, state)
