"""`aegis policy`: check documents, build bundles, publish, look, roll back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import REFUSED, told, unusable
from aegis_authz.cli.policy import explain as policy_explain
from aegis_authz.cli.policy import fmt as policy_fmt
from aegis_authz.cli.policy import init as policy_init
from aegis_authz.cli.policy import lint as policy_lint
from aegis_authz.cli.policy import mutate as policy_mutate
from aegis_authz.cli.policy import schema as policy_schema
from aegis_authz.cli.policy import simulate as policy_simulate
from aegis_authz.cli.policy import test as policy_test
from aegis_authz.cli.policy.document_folders import MeshState, Policies, Tools, document_folders
from aegis_authz.core.json_value import Json

app = typer.Typer(help="Check, publish and roll back policies and tool catalogues.", no_args_is_help=True)

State = Annotated[Path, typer.Option("--dir", help="The state folder of the mesh.")]
Message = Annotated[str, typer.Option("--message", "-m", help="Why; kept in the change log.")]
As = Annotated[str | None, typer.Option("--as", help="Your name; default: the user of the operating system.")]
Wait = Annotated[float, typer.Option("--wait", min=0, max=30, help="Seconds to wait until OPA runs it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def validate(
    policies: Policies = None,
    tools: Tools = None,
    state: MeshState = None,
    as_json: AsJson = False,
) -> None:
    """Check documents without publishing them. Exits with 1 when any has a problem.

    Example: aegis policy validate --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.policy.text import problems_json
    from aegis_authz.commands.admin import PolicyErrors
    from aegis_authz.commands.documents import validate_documents

    with told("policy validate"):
        policies, tools = document_folders("policy validate", policies, tools, state)
        try:
            counted = validate_documents(policies, tools)
        except PolicyErrors as errors:
            if not as_json:
                raise
            typer.echo(problems_json(errors.problems))
            raise typer.Exit(REFUSED) from None
    if as_json:
        typer.echo(json.dumps({"valid": True, "policies": counted[0], "tools": counted[1], "problems": []}, indent=2))
    else:
        typer.echo(f"valid: {counted[0]} policies, {counted[1]} tools")


@app.command()
def build(
    policies: Annotated[Path, typer.Option("--policies", help="Folder of policy documents.")],
    tools: Annotated[Path, typer.Option("--tools", help="Folder of tool catalogues.")],
    state: Annotated[Path, typer.Option("--dir", help="The mesh whose settings and public keys the bundle carries.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the bundle (.tar.gz).")],
    key: Annotated[
        Path | None, typer.Option("--key", help="P-256 key to sign with; default: DIR/keys/bundle.pem.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the signed bundle of these documents, for any static server. The same input gives the same bytes.

    Example: aegis policy build --policies policies/agents --tools policies/tools --dir DIR --out aegis.tar.gz
    """
    from aegis_authz.commands.documents import build_bundle

    with told("policy build"):
        try:
            revision, size = build_bundle(policies, tools, state, key, out)
        except OSError as fault:
            raise unusable("policy build", str(fault)) from None
    if as_json:
        typer.echo(json.dumps({"revision": revision, "file": str(out), "bytes": size}, indent=2))
    else:
        typer.echo(f"{out}: revision {revision}, {size} bytes")


@app.command()
def publish(
    state: State,
    policies: Policies = None,
    tools: Tools = None,
    message: Message = "",
    by: As = None,
    wait: Wait = 5,
    as_json: AsJson = False,
) -> None:
    """Validate, compile, sign and activate; the folders in use by the mesh unless others are given.

    Exits with 1 when the documents are invalid (what was served stays) or OPA does not run them in time.

    Example: aegis policy publish --dir DIR -m "raise the limit to 9000"
    """
    from aegis_authz.cli.policy.text import problems_json, release_text
    from aegis_authz.commands.admin import ControlRefused, control_client, operator_name
    from aegis_authz.commands.documents import located, read_documents

    with told("policy publish"):
        policies, tools = document_folders("policy publish", policies, tools, state)
        sources = read_documents(policies, tools)
        with control_client(state) as control:
            try:
                said = control.publish(sources.policies, sources.tools, by or operator_name(), message, wait)
            except ControlRefused as refused:
                if not refused.problems:
                    raise
                problems = located(refused.problems, sources, policies, tools)
                typer.echo(problems_json(problems) if as_json else "\n".join(map(str, problems)), err=not as_json)
                raise typer.Exit(REFUSED) from None
        typer.echo(json.dumps(said, indent=2) if as_json else release_text(said))
        if said.get("tools_changed") is True:
            _routes(state, sources.tools)
    _exit_by_activation(said)


@app.command()
def rollback(
    revision: Annotated[str, typer.Argument(help="The revision whose documents are to be served again.")],
    state: State,
    message: Message = "",
    by: As = None,
    wait: Wait = 5,
    as_json: AsJson = False,
) -> None:
    """Serve the documents of an earlier revision again. The folders stay as they are.

    Example: aegis policy rollback 4b34e9f4e3d6b7f97c4ec3c3 --dir DIR -m "too strict"
    """
    from aegis_authz.cli.policy.text import release_text
    from aegis_authz.commands.admin import control_client, operator_name, published_tools

    with told("policy rollback"), control_client(state) as control:
        said = control.rollback(revision, by or operator_name(), message, wait)
        typer.echo(json.dumps(said, indent=2) if as_json else release_text(said))
        if said.get("tools_changed") is True:
            _routes(state, published_tools(control, str(said.get("revision"))))
    _exit_by_activation(said)


@app.command()
def status(state: State, as_json: AsJson = False) -> None:
    """Show which revision is served, what each OPA runs, and the latest changes.

    Example: aegis policy status --dir DIR
    """
    from aegis_authz.cli.policy.text import status_tables
    from aegis_authz.commands.admin import control_client

    with told("policy status"), control_client(state) as control:
        standing, log = control.status(), control.revisions()
    if as_json:
        typer.echo(json.dumps({**standing, "changes": log.get("changes")}, indent=2))
    else:
        status_tables(standing, log)


def _routes(state: Path, tools: Mapping[str, str]) -> None:
    from aegis_authz.commands.mesh import routes_changed

    routes_changed(state, dict(tools))


def _exit_by_activation(said: Mapping[str, Json]) -> None:
    if not said.get("active_on") or said.get("refused") or said.get("waiting_for"):
        raise typer.Exit(REFUSED)


app.command("test")(policy_test.test)
app.command("mutate")(policy_mutate.mutate)
app.command("lint")(policy_lint.lint)
app.command("init")(policy_init.init)
app.command("fmt")(policy_fmt.fmt)
app.command("schema")(policy_schema.schema)
app.command("explain")(policy_explain.explain)
app.command("simulate")(policy_simulate.simulate)
