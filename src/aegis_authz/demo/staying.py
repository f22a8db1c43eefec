"""A demo that stays: calls that wait for a person, a link for that person, and the end when they say so."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from aegis_authz.commands.people import owner_link
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from aegis_authz.local.mesh import stop_signals
from aegis_authz.local.mesh_facts import read_facts

_HELD = ((6_200, "Nordwind GmbH"), (8_750, "Nordwind GmbH"), (6_900, "Contoso Ltd"))
"""Payments that the examples hold for a person."""


def show_link(mesh: DemoMesh, console: Console, words: str) -> None:
    """Print a link by which the owner of the demo's mesh signs in, once. Raises Unable, Rejected."""
    url = owner_link(read_facts(mesh.state), "aegis demo")
    # on a line of its own and never folded: it is to be clicked, or copied whole
    console.print(Text(f"{words}\n{url}"), soft_wrap=True)
    console.file.flush()  # who reads a pipe needs it while the demo plays


async def stay(mesh: DemoMesh, agent: Agent, console: Console) -> None:
    """Leave calls that wait, and keep everything running until SIGINT, SIGTERM or SIGHUP. Raises Unable, Rejected."""
    stop = stop_signals()
    for amount, payee in _HELD:
        await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": payee})
    show_link(mesh, console, "The mesh stays up with all of this in it, and calls that wait. Sign in once:")
    console.print(Text(f"Its folder, for commands: --dir {mesh.state}"), soft_wrap=True)
    console.print("Ctrl-C ends it.")
    console.file.flush()
    await stop.wait()
