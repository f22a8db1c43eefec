"""`aegis tools prices`: prices of models for a catalogue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults


def prices(
    providers: Annotated[list[str], typer.Argument(metavar="PROVIDER...", help="openai, anthropic, google, ...")],
    out: Annotated[Path | None, typer.Option("--out", help="Write here instead of to standard output.")] = None,
) -> None:
    """Write the prices of language models as a document of a catalogue, from the package genai-prices.

    Prices are those of the installed version, in US dollars, and may be wrong: compare them with your bills. Exits with
    2 where the package is not installed or does not know a provider.

    Example: aegis tools prices openai anthropic --out policies/tools/prices.yaml
    """
    from aegis_authz.commands.prices import prices_document

    with exits_on_faults("tools prices"):
        text = prices_document(providers, datetime.now(UTC))
        if out is not None:
            out.write_text(text, "utf-8")
    if out is None:
        typer.echo(text, nl=False)
