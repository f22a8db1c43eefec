"""`aegis policy init`: the first files of a policy folder."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from aegis_authz.cli.faults import unusable

COMMAND = "policy init"
_PAGE = "README.md"

_CHECKS = ("aegis policy validate", "aegis policy test --coverage")
_MESH = ("aegis up --detach --echo", 'aegis policy publish --dir .aegis -m "what changed"')
_QUESTIONS: Mapping[str, tuple[str, str]] = {
    "org": ("Organisation", "acme"),
    "tenant": ("Tenant", "emea"),
    "agent": ("Name of the agent", "payments-agent"),
    "tool": ("Name of the tool it calls", "payments"),
    "host": ("Host of the tool", "{tool}.example"),
}


def init(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if need be.")] = Path("policies"),
    org: Annotated[str | None, typer.Option("--org", help="The organisation of the agent.")] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="The tenant of the agent.")] = None,
    agent: Annotated[str | None, typer.Option("--agent", help="The name of the agent.")] = None,
    tool: Annotated[str | None, typer.Option("--tool", help="The name of the tool it calls.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="The host of the tool; may have a :port.")] = None,
    kind: Annotated[
        Literal["http", "mcp"] | None, typer.Option("--kind", help="An HTTP API or an MCP server; default http.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the defaults.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; asks nothing.")] = False,
) -> None:
    """Write an agent's policy, its tests and a tool to start from. Nothing that is there is overwritten.

    A second agent may join the folder of the first. On a terminal it asks what is not given.

    Example: aegis policy init policies --org acme --tenant emea --agent payments-agent --tool payments --yes
    """
    from aegis_authz.lab.starter import Names, ToolKind, faults, starter_files

    options = {"org": org, "tenant": tenant, "agent": agent, "tool": tool, "host": host}
    for field, wrong in faults({field: name for field, name in options.items() if name is not None}):
        raise unusable(COMMAND, f"--{field}: {wrong}")
    asking = on_terminal() and not yes and not as_json
    answers = _answers(options) if asking else _by_default(options)
    spoken = kind or (_asked_kind() if asking else "http")
    names = Names(**answers, kind=ToolKind(spoken))
    for field, wrong in faults(answers):  # a default made of what was given
        raise unusable(COMMAND, f"--{field}: {wrong}")
    paths = _write(folder, starter_files(names, (*_CHECKS, *_MESH)))
    _tell(folder, paths, as_json)


def on_terminal() -> bool:
    """Whether there is somebody to ask."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _by_default(options: Mapping[str, str | None]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for field, (_, default) in _QUESTIONS.items():
        name = options[field]
        answers[field] = default.format(**answers) if name is None else name
    return answers


def _answers(options: Mapping[str, str | None]) -> dict[str, str]:
    answers: dict[str, str] = {}
    for field, (question, default) in _QUESTIONS.items():
        name = options[field]
        answers[field] = _answer(field, question, default.format(**answers)) if name is None else name
    return answers


def _answer(field: str, question: str, default: str) -> str:
    """What is answered, once documents can have it."""
    from aegis_authz.lab.starter import faults

    def checked(answer: str) -> str:
        for _, wrong in faults({field: answer}):
            raise typer.BadParameter(wrong)
        return answer

    return str(typer.prompt(question, default=default, value_proc=checked))


def _asked_kind() -> str:
    def checked(answer: str) -> str:
        if answer not in ("http", "mcp"):
            raise typer.BadParameter("must be http or mcp")
        return answer

    return str(typer.prompt("An HTTP API (http) or an MCP server (mcp)", default="http", value_proc=checked))


def _write(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    starter_paths = {folder / name: text for name, text in texts.items()}
    paths = {path: text for path, text in starter_paths.items() if not _may_stay(path, text)}
    existing_paths = [path for path in paths if path.exists() or path.is_symlink()]
    if existing_paths:
        raise unusable(
            COMMAND, f"nothing was written, for these are there already: {', '.join(map(str, existing_paths))}"
        )
    try:
        for path, text in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as fault:
        raise unusable(COMMAND, str(fault)) from None
    return list(paths)


def _may_stay(path: Path, text: str) -> bool:
    """Whether what is there serves the new agent, too: the page of the folder, or the very document."""
    try:
        return path.is_file() and (path.name == _PAGE or path.read_text(encoding="utf-8") == text)
    except (OSError, UnicodeDecodeError):
        return False


def _tell(folder: Path, paths: list[Path], as_json: bool) -> None:
    enter = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    following = [*enter, *_CHECKS, *_MESH]
    if as_json:
        typer.echo(json.dumps({"written": [str(path) for path in paths], "next": following}, indent=2))
        return
    for path in paths:
        typer.echo(f"written: {path}")
    typer.echo("\nnext:")
    for command in following:
        typer.echo(f"  {command}")
