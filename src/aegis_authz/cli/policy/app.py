"""`aegis policy`: check documents, build bundles, publish, look, roll back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, DIR_VARIABLE, AsJson, MeshState, records_folder
from aegis_authz.cli.policy import backtest as policy_backtest
from aegis_authz.cli.policy import diff as policy_diff
from aegis_authz.cli.policy import explain as policy_explain
from aegis_authz.cli.policy import fmt as policy_fmt
from aegis_authz.cli.policy import history as policy_history
from aegis_authz.cli.policy import init as policy_init
from aegis_authz.cli.policy import lint as policy_lint
from aegis_authz.cli.policy import mutate as policy_mutate
from aegis_authz.cli.policy import proposals as policy_proposals
from aegis_authz.cli.policy import recorded_use as policy_recorded_use
from aegis_authz.cli.policy import schema as policy_schema
from aegis_authz.cli.policy import simulate as policy_simulate
from aegis_authz.cli.policy import suggest as policy_suggest
from aegis_authz.cli.policy import test as policy_test
from aegis_authz.cli.policy.document_folders import OptionalMesh, Policies, Tools, document_folders

if TYPE_CHECKING:
    from aegis_authz.api.policies import ReleaseAnswer
    from aegis_authz.api.proposals import ProposalAnswer

app = typer.Typer(help="Check, publish and roll back policies and tool catalogues.", no_args_is_help=True)

Message = Annotated[str, typer.Option("--message", "-m", help="Why; kept in the change log.")]
Accept = Annotated[
    str, typer.Option("--accept", help="Why recorded calls may be decided more mildly; kept in the change log.")
]
Wait = Annotated[float, typer.Option("--wait", min=0, max=30, help="Seconds to wait until OPA runs it.")]


@app.command()
def validate(
    policies: Policies = None,
    tools: Tools = None,
    state: OptionalMesh = None,
    as_json: AsJson = False,
) -> None:
    """Check documents without publishing them. Exits with 1 when any has a problem.

    Example: aegis policy validate --policies policies/agents --tools policies/tools
    """
    from aegis_authz.cli.policy.text import problems_json
    from aegis_authz.commands.documents import validate_documents
    from aegis_authz.policy.source.problems import PolicyErrors

    with exits_on_faults("policy validate"):
        policies, tools = document_folders("policy validate", policies, tools, state)
        try:
            counts = validate_documents(policies, tools)
        except PolicyErrors as errors:
            if not as_json:
                raise
            typer.echo(problems_json(errors.problems))
            raise typer.Exit(REFUSED) from None
    if as_json:
        typer.echo(json.dumps({"valid": True, "policies": counts[0], "tools": counts[1], "problems": []}, indent=2))
    else:
        typer.echo(f"valid: {counts[0]} policies, {counts[1]} tools")


@app.command()
def build(
    policies: Annotated[Path, typer.Option("--policies", help="Folder of policy documents.")],
    tools: Annotated[Path, typer.Option("--tools", help="Folder of tool catalogues.")],
    out: Annotated[Path, typer.Option("--out", help="Where to write the bundle (.tar.gz).")],
    state: Annotated[
        Path,
        typer.Option("--dir", envvar=DIR_VARIABLE, help="The mesh whose settings and public keys the bundle carries."),
    ] = DEFAULT_STATE,
    key: Annotated[
        Path | None, typer.Option("--key", help="P-256 key to sign with; default: DIR/keys/bundle.pem.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the signed bundle of these documents, for any static server. The same input gives the same bytes.

    Example: aegis policy build --policies policies/agents --tools policies/tools --dir DIR --out aegis.tar.gz
    """
    from aegis_authz.commands.documents import build_bundle

    with exits_on_faults("policy build"):
        try:
            revision, size = build_bundle(policies, tools, state, key, out)
        except OSError as fault:
            raise unusable("policy build", str(fault)) from None
    if as_json:
        typer.echo(json.dumps({"revision": revision, "file": str(out), "bytes": size}, indent=2))
    else:
        typer.echo(f"{out}: revision {revision}, {size} bytes")


@app.command("publish")
def publish_(
    state: MeshState = DEFAULT_STATE,
    policies: Policies = None,
    tools: Tools = None,
    message: Message = "",
    wait: Wait = 5,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Replace served documents by an empty folder, if it is one.")
    ] = False,
    skip_tests: Annotated[
        bool, typer.Option("--skip-tests", help="Do not run the tests beside the policies; the change log says so.")
    ] = False,
    backtest: Annotated[
        str,
        typer.Option(
            "--backtest",
            envvar="AEGIS_BACKTEST",
            help="Try them first on the calls recorded from then on: 7d, 2026-11-29.",
        ),
    ] = "",
    records: Annotated[
        Path | None, typer.Option("--records", help="Where calls are recorded.", show_default="DIR/records")
    ] = None,
    accept: Accept = "",
    as_json: AsJson = False,
) -> None:
    """Test, validate, compile, sign and activate; the folders in use by the mesh unless others are given.

    Says which files are added, changed and removed. Exits with 1 when a test fails, the documents are invalid or lint
    has an error (what was served stays), or OPA does not run them in time; and with --backtest, or where the control
    plane demands one, when a recorded call would be decided more mildly and --accept does not say why that is right.

    Example: aegis policy publish --dir DIR -m "raise the limit to 9000"
    """
    from aegis_authz.cli.policy.text import changes_text, problems_json
    from aegis_authz.commands.publishing import publish
    from aegis_authz.policy.source.problems import PolicyErrors

    with exits_on_faults("policy publish"):
        policies, tools = document_folders("policy publish", policies, tools, state)
        try:
            publication = publish(
                state,
                policies,
                tools,
                message,
                wait,
                allow_empty=allow_empty,
                is_tested=not skip_tests,
                trial=policy_backtest.publish_trial(records_folder(records, state), backtest, accept),
                accept=accept,
            )
        except PolicyErrors as errors:
            typer.echo(problems_json(errors.problems) if as_json else str(errors), err=not as_json)
            raise typer.Exit(REFUSED) from None
        if not as_json:
            typer.echo(changes_text(publication), nl=False)
        _follow(publication.release, as_json)


@app.command("rollback")
def rollback_(
    revision: Annotated[str, typer.Argument(help="The revision whose documents are to be served again.")],
    state: MeshState = DEFAULT_STATE,
    message: Message = "",
    wait: Wait = 5,
    accept: Accept = "",
    as_json: AsJson = False,
) -> None:
    """Serve the documents of an earlier revision again. The folders stay as they are.

    Example: aegis policy rollback 4b34e9f4e3d6b7f97c4ec3c3 --dir DIR -m "too strict"
    """
    from aegis_authz.commands.publishing import rollback

    with exits_on_faults("policy rollback"):
        _follow(rollback(state, revision, message, wait, accept), as_json)


@app.command()
def status(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """Show which revision is served, what each OPA runs, and the latest changes.

    Example: aegis policy status --dir DIR
    """
    from aegis_authz.cli.policy.text import served_json, served_tables
    from aegis_authz.commands.publishing import served

    with exits_on_faults("policy status"):
        standing, log = served(state)
    if as_json:
        typer.echo(served_json(standing, log))
    else:
        served_tables(standing, log)


def _follow(release: ReleaseAnswer | ProposalAnswer, as_json: bool) -> None:
    """Say what became of it, and exit with 1 unless every OPA runs it, or another person is to confirm it."""
    from aegis_authz.api.proposals import ProposalAnswer
    from aegis_authz.cli.policy.text import release_text, waiting_text

    if isinstance(release, ProposalAnswer):
        typer.echo(release.model_dump_json(indent=2) if as_json else waiting_text(release))
        return

    typer.echo(release.model_dump_json(indent=2) if as_json else release_text(release))
    if not release.active_on or release.refused or release.waiting_for:
        raise typer.Exit(REFUSED)


app.command("diff")(policy_diff.diff)
app.command("history")(policy_history.history)
app.command("proposals")(policy_proposals.proposals)
app.command("confirm")(policy_proposals.confirm)
app.command("withdraw")(policy_proposals.withdraw)
app.command("test")(policy_test.test)
app.command("mutate")(policy_mutate.mutate)
app.command("lint")(policy_lint.lint)
app.command("init")(policy_init.init)
app.command("fmt")(policy_fmt.fmt)
app.command("schema")(policy_schema.schema)
app.command("explain")(policy_explain.explain)
app.command("simulate")(policy_simulate.simulate)
app.command("backtest")(policy_backtest.backtest)
app.command("shadow-report")(policy_recorded_use.shadow_report)
app.command("unused")(policy_recorded_use.unused)
app.command("suggest")(policy_suggest.suggest)
