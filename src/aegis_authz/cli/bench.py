"""`aegis bench`: how many calls a mesh decides, and how fast."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import ENDED, REFUSED
from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

if TYPE_CHECKING:
    from aegis_authz.cli.bench_aim import BenchAim


Url = Annotated[str, typer.Argument(metavar="[URL]", help="The proxy, or the tool behind it; default: the mesh's.")]
Host = Annotated[str, typer.Option(help="Host header, the tool's name; default: that of the URL.")]
Where = Annotated[str, typer.Option("--path", help="Path of the call; default: that of the URL.")]
Method = Annotated[str, typer.Option(help="Method of the call.")]
Body = Annotated[str, typer.Option(help="Body of the call, JSON.")]
Org = Annotated[str, typer.Option(help="Organisation of the agent.")]
Tenant = Annotated[str, typer.Option(help="Tenant of the agent.")]
Agent = Annotated[str, typer.Option(help="The agent that calls.")]
Key = Annotated[Path | None, typer.Option(help="Issuer's key, PEM; default: the mesh's.")]
Issuer = Annotated[str, typer.Option(help="`iss` of tokens signed with --key.")]
Audience = Annotated[str, typer.Option(help="`aud` of tokens signed with --key.")]
TokenFile = Annotated[Path | None, typer.Option("--tokens", help="Tokens to use instead of signing any, one a line.")]
Connections = Annotated[int, typer.Option(min=1, max=4096, help="Connections of the closed loop.")]
Seconds = Annotated[float, typer.Option(min=0.5, max=150, help="Seconds of each load.")]
Rate = Annotated[list[float] | None, typer.Option(help="Calls a second, open loop; may be given several times.")]
Expect = Annotated[int, typer.Option(min=200, max=599, help="Status that is the right answer.")]
Spending = Annotated[
    str, typer.Option(metavar="ORG/TENANT", help="Load the three agents of the pack `spending` there instead.")
]
Remote = Annotated[bool, typer.Option("--allow-remote", help="Load a URL that is not on this machine.")]


def bench(
    url: Url = "",
    state: MeshState = DEFAULT_STATE,
    host: Host = "",
    path: Where = "",
    method: Method = "POST",
    body: Body = "",
    org: Org = "",
    tenant: Tenant = "",
    agent: Agent = "",
    key: Key = None,
    issuer: Issuer = "aegis",
    audience: Audience = "aegis-mesh",
    tokens: TokenFile = None,
    connections: Connections = 32,
    seconds: Seconds = 5,
    rate: Rate = None,
    expect: Expect = 200,
    allow_remote: Remote = False,
    spending: Spending = "",
    as_json: AsJson = False,
) -> None:
    """Load a mesh with signed calls, each with a token of its own, and check every answer.

    First a closed loop finds the most calls a second; then open loops at 25, 50 and 85 % of it tell the latency,
    counted from when a call was due to be sent. With --rate, open loops at just those rates.

    Without any call named, a call of `aegis doctor` is made through the mesh in --dir, to a tool that this command
    serves meanwhile; one call in twenty must be denied. The calls are recorded like any others.
    With --spending, each agent of the pack `spending` calls ten times as fast as it may for --seconds, and what passed
    is checked: by what the limits say is used, and by the calls of every stretch of time. It reaches the tools.

    Uses vegeta: AEGIS_VEGETA, one on PATH, else built once with Go.

    Exits with 1 when an answer was wrong or missing or a limit was exceeded, 2 when the load could not be sent at all.

    Examples:

        aegis bench --dir .aegis --rate 200 --rate 400

        aegis bench http://127.0.0.1:10000/v1/payments --host api.stripe.example --body '{"amount":10}' --tokens FILE

        aegis bench --dir .aegis --spending acme/emea

        aegis bench --host ehr.example --path /records/7 --method GET --org acme --tenant emea --agent clinic-agent
    """
    from aegis_authz.cli.bench_aim import BenchAim, Caller

    caller = Caller(org, tenant, agent)
    options = BenchAim(
        url, state, host, path, method, body, caller, key, issuer, audience, tokens, expect, allow_remote
    )
    if spending:
        _spending(options, spending, seconds, as_json)
    else:
        _bench(options, seconds, connections, rate or [], as_json)


def _bench(options: BenchAim, seconds: float, connections: int, rates: list[float], as_json: bool) -> None:
    import asyncio

    from aegis_authz.cli.bench_aim import aim_at, load
    from aegis_authz.cli.bench_text import show_stages, stages_json
    from aegis_authz.commands.faults import Unable
    from aegis_authz.load.fetch_vegeta import VegetaMissing, find_vegeta
    from aegis_authz.load.stages import NothingRight, Wish
    from aegis_authz.load.tool import ToolPortTaken
    from aegis_authz.load.vegeta import LoadFailed

    try:
        bench_load = aim_at(options)
        vegeta = find_vegeta(_say)
        stages = asyncio.run(load(vegeta, bench_load, Wish(seconds, connections, rates), _say))
        is_right = all(not (stage.outcome.wrong or stage.outcome.failed) for stage in stages)
    except asyncio.CancelledError:
        raise typer.Exit(ENDED) from None
    except NothingRight as nothing:
        stages, is_right = [nothing.stage], False
    except (VegetaMissing, LoadFailed, ToolPortTaken, OSError, ValueError, Unable) as fault:
        raise unusable("bench", str(fault)) from None
    if as_json:
        typer.echo(stages_json(bench_load.aim.base, stages))
    else:
        show_stages(bench_load.aim.base, stages)
    if not is_right:
        raise typer.Exit(REFUSED)


def _spending(options: BenchAim, tenant: str, seconds: float, as_json: bool) -> None:
    import asyncio

    from aegis_authz.cli.bench_aim import signed
    from aegis_authz.cli.spending_text import show_spending, spending_json
    from aegis_authz.commands.faults import CommandFault
    from aegis_authz.load.spending import play
    from aegis_authz.local.mesh_facts import MeshNotRunning

    if options.names_a_call:
        raise unusable("bench", "--spending makes the calls of the pack: leave out what names another")
    try:
        played = asyncio.run(play(options.state, tenant, seconds, lambda scope: signed(options.state, scope), _say))
    except (MeshNotRunning, CommandFault, OSError, ValueError) as fault:
        raise unusable("bench", str(fault)) from None
    if as_json:
        typer.echo(spending_json(played))
    else:
        show_spending(played)
    if any(entry.excess or entry.faults for entry in played):
        raise typer.Exit(REFUSED)


def _say(line: str) -> None:
    typer.echo(line, err=True)
