"""`aegis intercept`: packet filter rules that leave an agent no way around the gateway."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson
from aegis_authz.core.redirection_ports import NAMES_PORT, TRANSPARENT_PORT

if TYPE_CHECKING:
    from aegis_authz.intercept.redirection import Redirection

app = typer.Typer(help="Leave an agent no way around the gateway (Linux, nftables).", no_args_is_help=True)

Uids = Annotated[
    list[str] | None,
    typer.Option("--uid", metavar="UID[=PORT]", help="Hold this user; PORT is the listener that stands for it."),
]
Pod = Annotated[bool, typer.Option("--pod", help="This network namespace is the agents' and the gateway's alone.")]
Gateways = Annotated[
    list[str] | None, typer.Option("--gateway", metavar="UID", help="A user that may go out.", show_default="1337")
]
Port = Annotated[int, typer.Option("--port", help="The transparent listener.")]
NamesPort = Annotated[int, typer.Option("--dns-port", help="Where names are looked up.")]
Inbound = Annotated[
    list[int] | None, typer.Option("--inbound", metavar="PORT", help="With --pod: a port that others may reach.")
]
Local = Annotated[
    list[int] | None, typer.Option("--local", metavar="PORT", help="A TCP port of loopback that agents may reach.")
]
Devices = Annotated[
    list[str] | None, typer.Option("--device", metavar="NAME", help="Hold raw frames at this device as well.")
]


@app.command()
def up(
    uid: Uids = None,
    pod: Pod = False,
    gateway: Gateways = None,
    port: Port = TRANSPARENT_PORT,
    names_port: NamesPort = NAMES_PORT,
    inbound: Inbound = None,
    local: Local = None,
    device: Devices = None,
) -> None:
    """Put the rules in force in this network namespace, in place of those that were. Nothing is kept over a restart.

    Exits with 1 where a table `aegis` is somebody else's, 2 when it cannot.

    Example: aegis intercept up --pod --device eth0
    """
    from aegis_authz.commands.intercept import put_up

    with exits_on_faults("intercept up"):
        redirection = _redirection(uid, pod, gateway, port, names_port, inbound, local, device)
        put_up(redirection)
    typer.echo(f"on: {_sentence(redirection)}")


@app.command()
def rules(
    uid: Uids = None,
    pod: Pod = False,
    gateway: Gateways = None,
    port: Port = TRANSPARENT_PORT,
    names_port: NamesPort = NAMES_PORT,
    inbound: Inbound = None,
    local: Local = None,
    device: Devices = None,
) -> None:
    """Print what `up` would hand to `nft -f -`. Needs no root and no nft.

    Example: aegis intercept rules --uid 10001
    """
    from aegis_authz.intercept.packet_rules import rules_text

    with exits_on_faults("intercept rules"):
        text = rules_text(_redirection(uid, pod, gateway, port, names_port, inbound, local, device))
    typer.echo(text, nl=False)


@app.command()
def down() -> None:
    """Take the rules off. Whatever was held may go anywhere then.

    Example: aegis intercept down
    """
    from aegis_authz.commands.intercept import take_off

    with exits_on_faults("intercept down"):
        was_on = take_off()
    typer.echo("off" if was_on else "nothing was on")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say what is in force in this network namespace. Exits with 1 for nothing, and where chains or rules are missing.

    Example: aegis intercept status --json
    """
    from aegis_authz.commands.intercept import look

    with exits_on_faults("intercept status"):
        in_force = look()
    damage = () if in_force is None else in_force.damage
    if as_json:
        facts = {} if in_force is None else {**_facts(in_force.redirection), "packets": dict(in_force.packets)}
        typer.echo(json.dumps({"on": in_force is not None, "damage": list(damage), **facts}, indent=2))
    elif in_force is None:
        typer.echo("off: nothing is held in this network namespace")
    else:
        counts = ", ".join(f"{name} {count}" for name, count in sorted(in_force.packets.items()))
        typer.echo(f"on: {_sentence(in_force.redirection)}\npackets: {counts}")
        for sentence in damage:
            typer.echo(f"changed: {sentence}")
    if in_force is None or damage:
        raise typer.Exit(REFUSED)


def _redirection(
    uid: list[str] | None,
    pod: bool,
    gateway: list[str] | None,
    port: int,
    names_port: int,
    inbound: list[int] | None,
    local: list[int] | None,
    device: list[str] | None,
) -> Redirection:
    from aegis_authz.commands.intercept import RedirectionWords, redirection_of
    from aegis_authz.intercept.redirection import GATEWAY_UID

    gateways = tuple(gateway or (str(GATEWAY_UID),))
    opened = (tuple(inbound or ()), tuple(local or ()), tuple(device or ()))
    return redirection_of(RedirectionWords(gateways, tuple(uid or ()), pod, port, names_port, *opened))


def _facts(redirection: Redirection) -> dict[str, object]:
    return {
        "pod": redirection.is_pod,
        "uids": {str(uid): port for uid, port in redirection.agents.items()},
        "port": None if redirection.agents else redirection.port,
        "dns_port": redirection.names_port,
        "gateways": list(redirection.gateways),
        "inbound": list(redirection.inbound),
        "local": list(redirection.local),
        "devices": list(redirection.devices),
    }


def _sentence(redirection: Redirection) -> str:
    gateways = "user " + " and ".join(map(str, redirection.gateways))
    agents = ", ".join(f"user {uid} is led to port {port}" for uid, port in redirection.agents.items())
    if not redirection.is_pod:
        return agents
    others = "all others are refused" if agents else f"all others are led to port {redirection.port}"
    return "; ".join(filter(None, (f"only {gateways} may go out", agents, others)))
