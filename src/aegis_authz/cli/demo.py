"""`aegis demo`."""

from __future__ import annotations

import typer

from aegis_authz.cli.exit_codes import REFUSED


def demo() -> None:
    """Play the whole scenario on a mesh of its own: real Envoy, OPA, Redis, HTTP tools and MCP server.

    Prints each call with its expected and its real answer, verifies the records, stops everything.
    Exits with 1 when any line is not as expected.
    """
    import asyncio

    from aegis_authz.cli.consoles import table_console
    from aegis_authz.demo.run import run_demo
    from aegis_authz.local.documents import example_documents

    if not asyncio.run(run_demo(example_documents(), table_console())):
        raise typer.Exit(REFUSED)
