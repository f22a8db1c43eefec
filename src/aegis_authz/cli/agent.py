"""`aegis agent`: what stands on an agent's side, a signer above all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, OptionalState

if TYPE_CHECKING:
    from aegis_authz.agent.serving import Listening
    from aegis_authz.commands.agent import AgentSide, AgentTask

app = typer.Typer(help="Call through the mesh as an agent, without changing the agent's code.", no_args_is_help=True)

AgentName = Annotated[
    str, typer.Option("--agent", metavar="ORG/TENANT/AGENT", help="The agent; needed where several are enrolled.")
]
KeyFile = Annotated[Path | None, typer.Option("--key", help="The agent's private key, where it is not enrolled.")]
ControlUrl = Annotated[str, typer.Option("--control", help="The control plane's URL; default: as enrolled.")]
MeshProxy = Annotated[str, typer.Option("--mesh", help="The mesh's forward proxy; default: as enrolled.")]
MeshReverse = Annotated[str, typer.Option("--reverse", help="The mesh's reverse routes; default: as enrolled.")]
TaskFile = Annotated[
    Path | None, typer.Option("--grant", help="A task as a YAML or JSON file: all calls are narrowed to it.")
]
TaskToken = Annotated[
    Path | None, typer.Option("--token", help="A token that is narrowed already, as aegis token narrow --out wrote it.")
]


@app.command()
def enroll(
    code: Annotated[str, typer.Argument(help="The code that `aegis agents invite` printed.")],
    control: Annotated[str, typer.Option("--control", help="The control plane's URL.")],
    mesh: MeshProxy = "",
    reverse: MeshReverse = "",
    authority: Annotated[
        str,
        typer.Option("--authority", metavar="SHA256", help="The mesh's authority, as aegis ca show prints it."),
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key here and bring its public half to the control plane, for a code that is good once.

    The key never leaves this machine; it is kept in this user's settings, for this user alone. Where the mesh opens
    HTTPS its authorities are taken, too, and renewed by `agent run` and `agent proxy`. Exits with 2 when the code
    is not taken.

    Example: aegis agent enroll CODE --control https://control.example
    """
    from aegis_authz.commands.enrolling import enrol_agent

    with exits_on_faults("agent enroll"):
        enrolled = enrol_agent(code, control, mesh, reverse, authority)
    enrolment = enrolled.enrolment
    if as_json:
        import json
        from dataclasses import asdict

        typer.echo(json.dumps({**asdict(enrolment), "folder": str(enrolled.folder)}, indent=2))
        return
    typer.echo(f"{enrolment.agent} is enrolled; its key is in {enrolled.folder}")
    if enrolled.problem:
        report(enrolled.problem)
    elif enrolment.authorities:
        typer.echo(f"for HTTPS its programs are given {enrolment.authorities}")
    if enrolment.proxy:
        typer.echo(f"next: aegis agent run --agent {enrolment.agent} -- COMMAND")
    else:
        typer.echo("the control plane does not say where its mesh is: name it with --mesh and --reverse", err=True)


@app.command()
def proxy(
    listen: Annotated[str, typer.Option("--listen", help="127.0.0.1:PORT, 0 for any free one, or unix:PATH.")],
    state: OptionalState = None,
    agent: AgentName = "",
    key: KeyFile = None,
    control: ControlUrl = "",
    mesh: MeshProxy = "",
    reverse: MeshReverse = "",
    grant: TaskFile = None,
    token: TaskToken = None,
) -> None:
    """Serve a local signer: whatever this user's programs send to it goes to the mesh as the agent, with a proof.

    It takes requests to a proxy (http:// URLs alone) and plain ones for the reverse routes (/TOOL/...), MCP included.
    Processes of other users, and web pages, are refused. It ends on Ctrl-C or SIGTERM.

    Example: aegis agent proxy --dir .aegis --agent acme/emea/coding-agent --listen 127.0.0.1:7070
    """
    import asyncio

    from aegis_authz.commands.agent import serve_signer

    with exits_on_faults("agent proxy"):
        side = chosen_side(state, agent, key, control, mesh, reverse)

        def started(listening: Listening) -> None:
            where = listening.url or listening.address
            typer.echo(f"signing for {side.enrolment.agent} at {where}, to {side.enrolment.proxy}", err=True)

        asyncio.run(serve_signer(side, listen, report, started, chosen_task(grant, token)))


@app.command()
def hooks(
    listen: Annotated[str, typer.Option("--listen", help="127.0.0.1:PORT, 0 for any free one.")],
    tool: Annotated[
        str, typer.Option("--tool", help="The tool of the catalogue whose functions are the client's own.")
    ],
    state: OptionalState = None,
    agent: AgentName = "",
    evaluation: Annotated[
        str, typer.Option("--evaluation", help="The evaluation endpoint's URL; default: of the mesh on this machine.")
    ] = "",
    wait: Annotated[int, typer.Option("--wait", min=0, max=40, help="Seconds a held call waits for its person.")] = 40,
    signer: Annotated[
        list[str] | None,
        typer.Option("--signer", help="Base URL of an `aegis agent proxy` that MCP servers are led to."),
    ] = None,
) -> None:
    """Serve the hooks of coding agents: each call of a client's own tools is judged before it is made.

    `aegis connect CLIENT --hooks URL` writes the client's side. Calls of MCP servers that are led through the mesh pass
    here, for the gateway judges them. It ends on Ctrl-C or SIGTERM.

    Example: aegis agent hooks --dir .aegis --agent acme/dev/coder --tool claude-code --listen 127.0.0.1:7171
    """
    import asyncio

    from aegis_authz.commands.hooks import hook_target, serve_hooks

    with exits_on_faults("agent hooks"):
        side = chosen_side(state, agent, None, "", "", "")
        target = hook_target(side, state, evaluation, tool, wait)

        def started(listening: Listening) -> None:
            typer.echo(f"hooks of {side.enrolment.agent} are answered at {listening.url}", err=True)

        asyncio.run(serve_hooks(side, target, signer or [], listen, report, started))


@app.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND ...", help="The command and its arguments.")],
    state: OptionalState = None,
    agent: AgentName = "",
    key: KeyFile = None,
    control: ControlUrl = "",
    mesh: MeshProxy = "",
    reverse: MeshReverse = "",
    direct: Annotated[
        list[str] | None, typer.Option("--direct", help="A host it reaches beside the mesh, unjudged; may be repeated.")
    ] = None,
    grant: TaskFile = None,
    token: TaskToken = None,
) -> None:
    """Run a command whose HTTP requests go to the mesh as the agent; exits as the command does.

    HTTP_PROXY and HTTPS_PROXY lead to a signer that ends with it; a tool's reverse route is at $AEGIS_BASE_URL/TOOL.
    NO_PROXY holds what --direct names and nothing else. With --grant or --token every call is held to one task.

    Example: aegis agent run --dir .aegis --agent acme/emea/coding-agent -- python agent.py
    """
    import asyncio

    from aegis_authz.commands.agent import run_through

    with exits_on_faults("agent run"):
        side = chosen_side(state, agent, key, control, mesh, reverse)
        code = asyncio.run(run_through(side, command, direct or (), report, chosen_task(grant, token)))
    raise typer.Exit(code)


def chosen_side(state: Path | None, agent: str, key: Path | None, control: str, mesh: str, reverse: str) -> AgentSide:
    """The agent these options mean. Raises Unable."""
    from aegis_authz.commands.agent import AgentChoice, agent_side

    return agent_side(AgentChoice(state, agent, key, control, mesh, reverse))


def chosen_task(grant: Path | None, token: Path | None) -> AgentTask | None:
    """What the calls are narrowed to, None for nothing. Raises Unable, PolicyErrors."""
    import time

    from aegis_authz.commands.agent import AgentTask
    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.narrowing import read_token, task_details
    from aegis_authz.core.units import Epoch

    if grant is not None and token is not None:
        raise Unable("say either --grant or --token")
    if token is not None:
        return AgentTask("", read_token(token))
    return None if grant is None else AgentTask(task_details(grant, Epoch(time.time())), "")


def report(sentence: str) -> None:
    """Tell the operator."""
    typer.echo(f"aegis agent: {sentence}", err=True)
