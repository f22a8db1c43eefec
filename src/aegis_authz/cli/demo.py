"""`aegis demo`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import unusable
from aegis_authz.cli.options import AsJson


class UseCaseName(Enum):
    """The use cases of `demo.use_cases`, which help must not load."""

    FINTECH = "fintech"
    HEALTHCARE = "healthcare"
    SAAS = "saas"
    DEVOPS = "devops"
    MSSP = "mssp"


def demo(
    names: Annotated[
        list[UseCaseName] | None,
        typer.Argument(help="Use cases; default: the whole scenario.", show_default=False),
    ] = None,
    stays: Annotated[
        bool, typer.Option("--stay", help="Keep the mesh running afterwards, with calls that wait, until Ctrl-C.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Play the whole scenario on a mesh of its own: real Envoy, OPA, Redis, HTTP tools and MCP server.

    Prints a link to watch it in a browser and each call with its expected and its real answer, verifies the records,
    stops everything. With the name of a use case it plays that instead, and ends in its evidence: records, spans,
    metrics, panels and alerts.
    Exits with 1 when any line is not as expected.

    Example: aegis demo fintech
    """
    import asyncio

    from aegis_authz.cli.consoles import table_console
    from aegis_authz.demo.run import run_demo
    from aegis_authz.local.documents import example_documents

    if names and stays:
        raise unusable("demo", "--stay is of the whole scenario: name no use case")
    if names:
        is_well = asyncio.run(_play([name.value for name in names], as_json))
    elif as_json:
        raise unusable("demo", "--json is of use cases: name one")
    else:
        is_well = asyncio.run(run_demo(example_documents(), table_console(), stays))
    if not is_well:
        raise typer.Exit(REFUSED)


async def _play(names: Sequence[str], as_json: bool) -> bool:
    """Play use cases, each printed when it ends. Returns whether all is as expected."""
    from aegis_authz.demo.use_cases.report import report_json, report_lines
    from aegis_authz.demo.use_cases.run import played
    from aegis_authz.local.documents import example_documents

    is_well = True
    async for outcome in played(names, example_documents()):
        typer.echo(report_json(outcome) if as_json else "\n".join(report_lines(outcome)))
        is_well = is_well and not outcome.gaps()
    return is_well
