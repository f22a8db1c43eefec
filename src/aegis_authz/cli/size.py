"""`aegis size`: how large a mesh for so many calls is."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import AsJson

if TYPE_CHECKING:
    from aegis_authz.load.sizing import Size


def size(
    rps: Annotated[float, typer.Option("--rps", help="Calls a second.")],
    agents: Annotated[int, typer.Option("--agents", help="Agents, each with a policy of its own.")] = 100,
    token_life: Annotated[float, typer.Option("--token-life", help="Seconds that a token lives.")] = 60,
    as_json: AsJson = False,
) -> None:
    """Say how many cores, how much memory and how much disk so many calls take, and what ends first.

    By what the benchmark measured on one machine (docs/sizing.md); measure on yours before you buy. Exits with 2 for
    numbers that are none.

    Example: aegis size --rps 10000 --agents 5000 --token-life 60
    """
    from aegis_authz.load import sizing

    try:
        mesh = sizing.size(sizing.Demand(rps, agents, token_life), sizing.figures())
    except sizing.SizingFault as fault:
        raise unusable("size", str(fault)) from None
    if as_json:
        typer.echo(json.dumps(asdict(mesh), indent=2))
        return
    for name, value in sizing_rows(mesh):
        typer.echo(f"{name:<24}{value}")


def sizing_rows(mesh: Size) -> tuple[tuple[str, str], ...]:
    """What is said of a mesh: names and values."""
    parts = {"authz": "authorizers", "opa": "OPA", "redis": "Redis", "envoy": "Envoy"}
    busy = ", ".join(f"{name} {mesh.cores[part]:.2f}" for part, name in parts.items())
    return (
        ("cores busy", f"{sum(mesh.cores.values()):.2f}: {busy}"),
        ("cores to plan", f"{mesh.planned_cores}"),
        ("authorizers", f"{mesh.authorizers}; {mesh.authorizers_mib:,.0f} MiB"),
        ("OPA, one a gateway", f"{mesh.gateways}; {mesh.opa_mib:,.0f} MiB"),
        ("Redis", f"{mesh.redis_keys:,} keys; {mesh.redis_mib:,.0f} MiB; {mesh.redis_mbit:,.1f} Mbit/s"),
        ("records", f"{mesh.record_bytes:,} bytes a call; {mesh.records_gib_a_day:,.1f} GiB a day"),
        ("ends first", f"{mesh.breaks_first}, at {mesh.breaks_at_rps:,} calls a second"),
    )
