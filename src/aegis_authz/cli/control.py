"""`aegis control`: the control plane's own house: its change log, its backups."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

app = typer.Typer(help="Look after the control plane: its change log, its backups.", no_args_is_help=True)

Settings = Annotated[Path | None, typer.Option("--config", help="The settings.", show_default="control.yaml in DIR")]


@app.command("changes")
def changes_(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show who did what, when and why, and verify that no line was altered or taken out.

    Exits with 1 when the chain is broken.

    Example: aegis control changes --dir DIR
    """
    from aegis_authz.commands.people import verified_changes
    from aegis_authz.policy.source.problems import printable

    with exits_on_faults("control changes"):
        changes = verified_changes(state)
    for line in changes.lines:
        if as_json:
            typer.echo(line.model_dump_json())
            continue
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(line.at))
        words = f"{line.number}  {at}  {line.person}  {line.action}  {line.subject}  {line.reason}".rstrip()
        typer.echo(printable(words))  # what a caller once wrote must not steer this terminal
    if not as_json:
        typer.echo(changes.verdict)


@app.command("anchors")
def anchors_(
    state: MeshState = DEFAULT_STATE,
    config: Settings = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write here instead of to standard output.")] = None,
) -> None:
    """Print where every log of records stood, once a minute, out of the database: for `aegis audit verify --anchors`.

    Example: aegis control anchors --dir DIR --out anchors.jsonl
    """
    from aegis_authz.commands.anchors import all_anchors

    with exits_on_faults("control anchors"):
        lines = all_anchors(config or state / "control.yaml")
        if out is not None:
            out.write_bytes(lines)
    if out is None:
        typer.echo(lines, nl=False)


@app.command("backup")
def backup_(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="A file that is not there yet.")],
    state: MeshState = DEFAULT_STATE,
    config: Settings = None,
) -> None:
    """Write people, the change log, publications and all else the control plane keeps into one file.

    The control plane may run. Keys and records are not in it: back those up by themselves.

    Example: aegis control backup backup.tar.gz --dir DIR
    """
    from aegis_authz.commands.backup import back_up

    with exits_on_faults("control backup"):
        size = back_up(config or state / "control.yaml", target)
    typer.echo(f"{target}: {size} bytes")


@app.command("restore")
def restore_(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    state: MeshState = DEFAULT_STATE,
    config: Settings = None,
) -> None:
    """Put a backup where the settings say, where nothing is yet. The database may be another kind than it was.

    Example: aegis control restore backup.tar.gz --dir DIR
    """
    from aegis_authz.commands.backup import restore

    with exits_on_faults("control restore"):
        restore(config or state / "control.yaml", source)
    typer.echo(f"{source} is restored; start the control plane")
