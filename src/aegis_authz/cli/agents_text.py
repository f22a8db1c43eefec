"""How registrations and revocations read for people."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.api.agents import RevocationAnswer
from aegis_authz.api.enrolment import InvitationAnswer, RegisteredAgentAnswer
from aegis_authz.api.limits import QuarantineAnswer
from aegis_authz.policy.source.problems import printable


def show_revoked(revocations: Sequence[RevocationAnswer]) -> None:
    """Print a table of revoked agents."""
    console = Console()
    if not revocations:
        console.print("no agent is revoked", highlight=False)
        return
    table = Table("agent", "since", "by")
    for revocation in revocations:
        table.add_row(Text(_scope(revocation)), Text(_local_time(revocation.at)), Text(printable(revocation.by)))
    console.print(table)


def show_quarantined(quarantines: Sequence[QuarantineAnswer]) -> None:
    """Print a line for each quarantined agent; nothing where nobody is."""
    for entry in quarantines:
        print(quarantined_text(entry))  # noqa: T201  # plain lines, as below


def quarantined_text(entry: QuarantineAnswer) -> str:
    """One line that says who is quarantined, until when, and by whom."""
    scope = f"{entry.org}/{entry.tenant}/{entry.agent}"
    return f"quarantined: {scope} until {_local_time(entry.until)} by {printable(entry.by)}"


def show_registered(agents: Sequence[RegisteredAgentAnswer]) -> None:
    """Print each registered agent with the thumbprints of its keys; nothing where nobody is registered."""
    for agent in agents:
        owner = f", owner {printable(agent.owner)}" if agent.owner else ""
        print(f"{agent.agent}: {', '.join(agent.ways)}{owner}")  # noqa: T201  # plain lines: a table would cut thumbprints
        for key in agent.keys:
            origin = f"enrolled {_local_time(key.enrolled_at)}, invited by {printable(key.invited_by)}"
            print(f"  key {key.kid} ({origin if key.enrolled_at else 'document'})")  # noqa: T201  # as above


def invitation_text(invitation: InvitationAnswer) -> str:
    """What to run at the agent's side, and until when."""
    pin = f" --authority {invitation.authority}" if invitation.authority else ""
    return (
        f"aegis agent enroll {invitation.code} --control {invitation.control}{pin}\n"
        f"to be run at the agent's side, once, until {_local_time(invitation.expires_at)}"
    )


def revoked_text(revocation: RevocationAnswer) -> str:
    """One line that says who is stopped."""
    return f"revoked: every call of {_scope(revocation)} is refused from now on"


def restored_text(target: str) -> str:
    """One line that says who goes on."""
    return f"restored: policy judges the calls of {printable(target)} again"


def _scope(answer: RevocationAnswer) -> str:
    if answer.kind in ("agent", "tenant"):
        return printable(f"{answer.org}/{answer.tenant}/{answer.agent}".removesuffix("/"))
    return printable(f"{answer.kind} {answer.name} of {answer.org}/{answer.tenant}")


def _local_time(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
