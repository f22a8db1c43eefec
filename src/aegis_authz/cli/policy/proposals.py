"""`aegis policy proposals, confirm, withdraw`: publications that wait for a second person."""

from __future__ import annotations

from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

ProposalId = Annotated[str, typer.Argument(help="The proposal, pub_...")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the change log.")]


def proposals(
    proposal_id: Annotated[str, typer.Argument(help="One of them: show all that it changes, and its digest.")] = "",
    state: MeshState = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Show the publications that wait for a second person.

    Example: aegis policy proposals pub_0123 --dir DIR
    """
    from aegis_authz.cli.policy.text import proposal_lines
    from aegis_authz.commands import proposals as commands
    from aegis_authz.policy.text_changes import document_difference

    with exits_on_faults("policy proposals"):
        if proposal_id:
            answer = commands.proposal(state, proposal_id)
            if as_json:
                typer.echo(answer.model_dump_json(indent=2))
                return
            lines = [*proposal_lines(answer.proposal), f"digest {answer.proposal.digest}"]
            before, after = answer.before, answer.after
            lines += document_difference(before.policies, after.policies)
            lines += document_difference(before.tools, after.tools)
            typer.echo("\n".join(lines))
            return
        waiting = commands.proposals(state)
        if as_json:
            typer.echo(waiting.model_dump_json(indent=2))
            return
        lines = [line for entry in waiting.proposals for line in proposal_lines(entry)]
        typer.echo("\n".join(lines) if lines else "nothing waits for a second person")


def confirm(
    proposal_id: ProposalId,
    digest: Annotated[str, typer.Option("--digest", help="Of what you looked at: aegis policy proposals ID shows it.")],
    state: MeshState = DEFAULT_STATE,
    note: Note = "",
    accept: Annotated[
        str, typer.Option("--accept", help="Why recorded calls may be decided more mildly, where they would be.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Publish what another person proposed: exactly what has this digest.

    Example: aegis policy confirm pub_0123 --digest 4b34e9... --dir DIR
    """
    from aegis_authz.commands import proposals as commands

    with exits_on_faults("policy confirm"):
        published = commands.confirm(state, proposal_id, digest, note, accept)
    text = f"revision {published.revision} in place of {published.previous or 'none'}"
    typer.echo(published.model_dump_json(indent=2) if as_json else text)


def withdraw(
    proposal_id: ProposalId, state: MeshState = DEFAULT_STATE, note: Note = "", as_json: AsJson = False
) -> None:
    """Have a proposal wait no longer.

    Example: aegis policy withdraw pub_0123 --dir DIR
    """
    from aegis_authz.commands import proposals as commands

    with exits_on_faults("policy withdraw"):
        withdrawn = commands.withdraw(state, proposal_id, note)
    typer.echo(withdrawn.model_dump_json(indent=2) if as_json else f"{withdrawn.id} is withdrawn")
