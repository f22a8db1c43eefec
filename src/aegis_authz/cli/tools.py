"""`aegis tools`: catalogue entries from what people have already, and what changed between two catalogues."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import AsJson
from aegis_authz.cli.tool_prices import prices
from aegis_authz.cli.tools_text import changes_text, gaps_text

if TYPE_CHECKING:
    from aegis_authz.commands.catalogue_import import AnyEntry
    from aegis_authz.policy.curl import CurlEntry
    from aegis_authz.policy.descriptor_entry import DescriptorEntry
    from aegis_authz.policy.graphql_schema import GraphqlEntry
    from aegis_authz.policy.openapi.entry import ImportedEntry

app = typer.Typer(help="Tool catalogues: written from what an API says of itself, and compared.", no_args_is_help=True)
imports = typer.Typer(help="Write a catalogue entry from what is there already.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.command()(prices)

STANDARD = "-"
Out = Annotated[str, typer.Option("--out", help="The folder of tools to write into; - prints the entry.")]
ToolName = Annotated[str, typer.Option("--name", help="The name of the tool.")]
Owner = Annotated[str, typer.Option("--owner", help="Who answers for the tool.")]


@app.callback()
def _group() -> None:
    """Tool catalogues: written from what an API says of itself, and compared."""


@imports.callback()
def _imports() -> None:
    """Write a catalogue entry from what is there already."""


@imports.command()
def openapi(
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="An OpenAPI 3 description, JSON or YAML.")],
    name: ToolName = "",
    host: Annotated[str, typer.Option("--host", help="What agents call; default: the description's server.")] = "",
    upstream: Annotated[str, typer.Option("--upstream", help="Where the tool really is, if not there.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Operations or paths; may be repeated.")
    ] = None,
    tags: Annotated[list[str] | None, typer.Option("--tag", help="Operations with this tag; may be repeated.")] = None,
    out: Out = "tools",
    owner: Owner = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry from an OpenAPI description: an action for each operation, with its parameters.

    What an entry cannot hold is listed on stderr. Exits with 1 when the entry would not be valid, with 2 when the
    description cannot be read.

    Example: aegis tools import openapi api.github.com.json --name github --only 'issues/*' --out policies/tools
    """
    from aegis_authz.commands.catalogue_import import imported_entry
    from aegis_authz.policy.openapi.entry import Choice

    location = source if source.startswith(("http://", "https://")) else ""
    choice = Choice(name, host, upstream, owner, tuple(only or ()), tuple(tags or ()), location)
    with exits_on_faults("tools import openapi"):
        entry = imported_entry(source, choice)
        path = _write(entry, out, as_json)
    if as_json:
        typer.echo(json.dumps(_openapi_json(entry, path), indent=2))
    typer.echo(gaps_text(entry, path), err=True, nl=False)


@imports.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def curl(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- curl ...]", help="The command; without one, from stdin.")
    ] = None,
    name: ToolName = "",
    action: Annotated[str, typer.Option("--action", help="The name of the action.")] = "",
    out: Out = STANDARD,
    owner: Owner = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry from a curl command; nothing is sent, and no credential of it is kept.

    Example: aegis tools import curl --action pay -- curl https://api.example/v1/pay --json '{"amount": 5}'
    """
    from aegis_authz.commands.catalogue_import import entry_of_curl

    with exits_on_faults("tools import curl"):
        entry = entry_of_curl(command or _words_of_input(), name, action, owner)
        path = _write(entry, out, as_json)
    _say(entry, path, as_json)


@imports.command()
def graphql(
    source: Annotated[str, typer.Argument(metavar="FILE|URL", help="A schema, or an answer to introspection.")],
    name: Annotated[str, typer.Option("--name", help="The name of the tool.")],
    host: Annotated[str, typer.Option("--host", help="What agents call.")],
    path: Annotated[str, typer.Option("--path", help="The path of the endpoint.")] = "/graphql",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Root fields; may be repeated.")
    ] = None,
    persisted: Annotated[
        str, typer.Option("--persisted", metavar="FILE|URL", help="A list of persisted documents: no others pass then.")
    ] = "",
    out: Out = "tools",
    owner: Owner = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry from a schema of GraphQL: the arguments of its root fields are parameters.

    A list of persisted documents is Apollo's manifest, or a mapping of ids to texts, as Relay's compiler writes it.

    Example: aegis tools import graphql schema.graphql --name shop --host api.shop.example --out policies/tools
    """
    from aegis_authz.commands.catalogue_import import entry_of_graphql

    with exits_on_faults("tools import graphql"):
        entry = entry_of_graphql(source, name, host, path, owner, tuple(only or ()), persisted)
        written = _write(entry, out, as_json)
    _say(entry, written, as_json)


@imports.command()
def grpc(
    source: Annotated[
        str, typer.Argument(metavar="FILE|URL", help="What protoc --include_imports --descriptor_set_out FILE writes.")
    ],
    name: Annotated[str, typer.Option("--name", help="The name of the tool.")],
    host: Annotated[str, typer.Option("--host", help="What agents call, with its port if it has one.")],
    upstream: Annotated[str, typer.Option("--upstream", help="Where the tool really is, if not there.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="GLOB", help="Methods, SERVICE/METHOD; may be repeated.")
    ] = None,
    out: Out = "tools",
    owner: Owner = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry from a descriptor set of gRPC: an action for each method, its fields as parameters.

    The part of the set that is needed is written beside it.

    Example: aegis tools import grpc pay.binpb --name pay --host pay.example:443 --out policies/tools
    """
    from aegis_authz.commands.catalogue_import import entry_of_descriptors, entry_text, write_descriptors
    from aegis_authz.policy.descriptor_entry import DescriptorChoice

    with exits_on_faults("tools import grpc"):
        entry = entry_of_descriptors(source, DescriptorChoice(name, host, upstream, owner, tuple(only or ())))
        text = entry_text(entry)
        descriptors = "" if out == STANDARD else str(write_descriptors(entry, Path(out)))
        path = _write_text(entry.tool, text, out, as_json)
    _say(entry, path, as_json)
    if descriptors and not as_json:
        typer.echo(f"wrote {descriptors}", err=True)
    elif not descriptors:
        typer.echo(f"note: the entry needs the descriptor set beside it, as {entry.file}", err=True)


@imports.command()
def mcp(
    url: Annotated[str, typer.Argument(metavar="URL", help="An MCP server's endpoint, streamable HTTP.")],
    name: ToolName = "",
    out: Out = "tools",
    owner: Owner = "",
    as_json: AsJson = False,
) -> None:
    """Write a catalogue entry from the tools that an MCP server lists, their arguments and types included.

    For all servers of a client's settings, and a policy to start from: aegis mcp import.

    Example: aegis tools import mcp https://mcp.example/mcp --name notes --out policies/tools
    """
    from aegis_authz.commands.mcp_import import entry_of_server

    with exits_on_faults("tools import mcp"):
        entry = entry_of_server(url, name, owner)
        path = _write_text(entry.tool, entry.text, out, as_json)
    if as_json:
        document = {"tool": entry.tool, "file": path, "text": entry.text, "gaps": list(entry.notes)}
        typer.echo(json.dumps(document, indent=2))
    for sentence in entry.notes:
        typer.echo(f"note: {sentence}", err=True)
    if path and not as_json:
        typer.echo(f"wrote {path}", err=True)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="OLD", help="A catalogue file.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Another one; - reads it from stdin.")],
    as_json: AsJson = False,
) -> None:
    """Say what differs between two catalogues: tools, actions, parameters and prices, not layout or descriptions.

    Exits with 0 when nothing does, with 1 when something does.

    Example: aegis tools import openapi api.json --name crm --out - | aegis tools diff tools/crm.yaml -
    """
    from aegis_authz.commands.catalogue_import import changes_between

    if old == new == STANDARD:
        raise unusable("tools diff", "only one of the two can be stdin")
    with exits_on_faults("tools diff"):
        changes = changes_between(_read(old), _read(new))
    typer.echo(
        json.dumps([asdict(change) for change in changes], indent=2) if as_json else changes_text(changes), nl=as_json
    )
    if changes:
        raise typer.Exit(REFUSED)


def _write(entry: AnyEntry, out: str, as_json: bool) -> str:
    """Write the entry, or print it; returns the path of its file, "" for none."""
    from aegis_authz.commands.catalogue_import import entry_text

    return _write_text(entry.tool, entry_text(entry), out, as_json)


def _write_text(tool: str, text: str, out: str, as_json: bool) -> str:
    from aegis_authz.commands.catalogue_import import write_entry

    if out != STANDARD:
        return str(write_entry(tool, text, Path(out)))
    if not as_json:
        typer.echo(text, nl=False)
    return ""


def _say(entry: CurlEntry | GraphqlEntry | DescriptorEntry, path: str, as_json: bool) -> None:
    """What was written, and what was not taken over."""
    if as_json:
        document = {"tool": entry.tool, "file": path, "entry": entry.document, "gaps": list(entry.gaps)}
        typer.echo(json.dumps(document, indent=2))
    for sentence in entry.gaps:
        typer.echo(f"note: {sentence}", err=True)
    if path and not as_json:
        typer.echo(f"wrote {path}", err=True)


def _openapi_json(entry: ImportedEntry, path: str) -> dict[str, object]:
    return {
        "tool": entry.tool,
        "file": path,
        "actions": entry.actions,
        "unlisted": list(entry.unlisted),
        "gaps": [asdict(gap) for gap in entry.gaps],
        "entry": entry.document,
    }


def _words_of_input() -> Sequence[str]:
    try:
        return shlex.split(sys.stdin.read().replace("\\\n", " "))
    except ValueError as fault:
        raise unusable("tools import curl", f"the command on stdin cannot be split: {fault}") from None


def _read(name: str) -> tuple[str, str]:
    """The name of a file and its text."""
    if name == STANDARD:
        return "stdin", sys.stdin.read()
    return name, Path(name).read_text("utf-8")
