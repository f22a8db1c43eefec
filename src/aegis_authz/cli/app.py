"""All commands in one application."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from aegis_authz import native
from aegis_authz.cli import (
    agent,
    agents,
    approvals,
    audit,
    bench,
    ca,
    connect,
    control,
    demo,
    doctor,
    envoy,
    explain,
    export,
    intercept,
    keys,
    limits,
    login,
    mcp,
    mesh,
    people,
    ready,
    report,
    secrets,
    serve,
    size,
    spend,
    token,
    tools,
)
from aegis_authz.cli.policy import app as policy

_HELP = """Decides what AI agents may do: a policy mesh of Envoy, OPA and Redis.

Every command exits with 0 when the answer is yes, 1 when it is no, 2 when it could not be asked at all."""

app = typer.Typer(
    name="aegis",
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.command()(mesh.up)
app.command()(mesh.down)
app.command()(mesh.status)
app.command()(mesh.logs)
app.command()(secrets.init)
app.command()(login.login)
app.command()(login.logout)
app.command()(login.whoami)
app.command()(connect.connect)
app.command()(doctor.doctor)
app.command()(explain.explain)
app.command()(demo.demo)
app.command()(bench.bench)
app.command()(spend.spend)
app.command()(report.report)
app.command()(export.export)
app.command()(size.size)
app.add_typer(token.app, name="token")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(approvals.app, name="approvals")
app.add_typer(people.app, name="people")
app.add_typer(control.app, name="control")
app.add_typer(agents.app, name="agents")
app.add_typer(limits.app, name="limits")
app.add_typer(agent.app, name="agent")
app.add_typer(mcp.app, name="mcp")
app.add_typer(tools.app, name="tools")
app.add_typer(audit.app, name="audit")
app.add_typer(envoy.app, name="envoy")
app.add_typer(ca.app, name="ca")
app.add_typer(intercept.app, name="intercept")


_PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@app.command("serve", context_settings=_PASSED_ON)
def _serve(context: typer.Context) -> None:
    """Run one process of a mesh in the foreground."""
    serve.serve(context.args)


@app.command("ready", context_settings=_PASSED_ON)
def _ready(context: typer.Context) -> None:
    """Say whether one process of a mesh is ready, for health checks."""
    ready.ready(context.args)


def _version(flag: bool) -> None:
    if flag:
        typer.echo(f"{installed_version('aegis-authz')} ({native.state()})")
        raise typer.Exit


@app.callback()
def _root(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Decides what AI agents may do: a policy mesh of Envoy, OPA and Redis."""
