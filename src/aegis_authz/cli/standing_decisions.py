"""`aegis approvals allow-like`, `standing`, `revoke`: decisions that stand for some days."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState
from aegis_authz.policy.source.problems import printable

if TYPE_CHECKING:
    from aegis_authz.api.standing_decisions import DraftAnswer, StandingDecisionsAnswer

Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]


def add_standing_decisions(app: typer.Typer) -> None:
    """Add the commands to those of `aegis approvals`."""
    app.command("allow-like")(allow_like)
    app.command("standing")(standing)
    app.command("revoke")(revoke)


def allow_like(
    approval_id: Annotated[str, typer.Argument(help="The approval's id (`apr_...`).")],
    state: MeshState = DEFAULT_STATE,
    deny: Annotated[bool, typer.Option("--deny", help="Refuse calls like it, in place of allowing them.")] = False,
    days: Annotated[int, typer.Option("--days", min=1, max=30, help="For how many days, today included.")] = 7,
    session: Annotated[
        bool, typer.Option("--session", help="Only for calls of its session or task, as the token or MCP tells it.")
    ] = False,
    document: Annotated[
        Path | None, typer.Option("--document", help="Publish this file, an edited offer.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Publish without asking.")] = False,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Offer a document that allows calls like a held one for some days; show it, and publish it once it is confirmed.

    Without a terminal it is shown alone, unless --yes says so.

    Example: aegis approvals allow-like apr_3f... --dir DIR --days 7 --yes
    """
    from aegis_authz.api.standing_decisions import DraftAnswer
    from aegis_authz.commands.approvals import draft_standing, save_standing

    effect = "deny" if deny else "allow"
    with exits_on_faults("approvals allow-like"):
        if document is None:
            offered = draft_standing(state, approval_id, effect, days, session)
        else:
            offered = DraftAnswer(name="", document=document.read_text("utf-8"), findings=())
        is_sure = yes or (sys.stdin.isatty() and _confirmed(offered))
        if not is_sure:
            typer.echo(offered.model_dump_json(indent=2) if as_json else "\n".join(draft_lines(offered)))
            return
        saved = save_standing(state, approval_id, effect, offered.document, note)
    typer.echo(saved.model_dump_json(indent=2) if as_json else f"{saved.name} stands since revision {saved.revision}")


def standing(state: MeshState = DEFAULT_STATE, as_json: AsJson = False) -> None:
    """List the decisions that stand, those whose days are over included.

    Example: aegis approvals standing --dir DIR
    """
    from aegis_authz.commands.approvals import standing_decisions

    with exits_on_faults("approvals standing"):
        answer = standing_decisions(state)
    typer.echo(answer.model_dump_json(indent=2) if as_json else "\n".join(decision_lines(answer)))


def revoke(
    name: Annotated[str, typer.Argument(help="The name of the decision (`standing-...`).")],
    state: MeshState = DEFAULT_STATE,
    note: Note = "",
    as_json: AsJson = False,
) -> None:
    """Take a standing decision back: from the next revision on, calls like it are judged as before.

    Example: aegis approvals revoke standing-allow-apr_3f... --dir DIR
    """
    from aegis_authz.commands.approvals import revoke_standing

    with exits_on_faults("approvals revoke"):
        answer = revoke_standing(state, name, note)
    typer.echo(answer.model_dump_json(indent=2) if as_json else f"{answer.name} is gone since {answer.revision}")


def draft_lines(offered: DraftAnswer) -> Iterator[str]:
    """The offer as it is shown: nothing an agent wrote can steer the terminal."""
    yield from map(printable, offered.document.rstrip("\n").split("\n"))
    for finding in offered.findings:
        yield from (f"# {printable(line)}" for line in finding.split("\n"))
    yield "# not published: --yes publishes it as it is, --document FILE as you have edited it"


def decision_lines(answer: StandingDecisionsAnswer) -> Iterator[str]:
    """A line for each decision."""
    if not answer.standing:
        yield "no decision stands"
    for entry in answer.standing:
        actions = ", ".join(entry.actions)
        session = f"  in session {entry.session}" if entry.session else ""
        yield printable(
            f"{entry.name}  {entry.effect}  {entry.agent}  {entry.tool} {actions}  "
            f"{entry.first} to {entry.last}{session}  by {entry.owner}"
        )


def _confirmed(offered: DraftAnswer) -> bool:
    for line in draft_lines(offered):
        typer.echo(line)
    return typer.confirm("Publish this?")
