"""`aegis spend`: what calls cost, added up from the records."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import AsJson, OptionalState, records_folder, since_option

_DEFAULT_BY = "tenant,tool"


class CsvKind(Enum):
    """Whose column names a CSV has."""

    FOCUS = "focus"


def spend(
    folder: Annotated[
        Path | None,
        typer.Argument(help="A folder of record logs, or one log; default: DIR/records.", show_default=False),
    ] = None,
    state: OptionalState = None,
    by: Annotated[str, typer.Option("--by", help="What to add up by: tenant, agent, tool, day.")] = _DEFAULT_BY,
    since: Annotated[
        str, typer.Option("--since", help="Only calls from then on: 90s, 10m, 2h, 1d ago, or 2026-11-29T13:00Z.")
    ] = "",
    as_json: AsJson = False,
    csv: Annotated[
        CsvKind | None, typer.Option("--csv", help="Print CSV by the column names of FOCUS, by day, agent and tool.")
    ] = None,
) -> None:
    """Add up what calls cost, from the records: estimates where nothing else is known, else what they cost in the end.

    Reads without verifying; `aegis audit verify` does that. Exits with 2 when the records cannot be read.

    Example: aegis spend --by agent,day --since 7d
    """
    from aegis_authz.cli.spend_text import FOCUS_BY, spend_csv, spend_json, spend_table
    from aegis_authz.commands.spend import read_dimensions, recorded_spend

    try:
        dimensions = FOCUS_BY if csv is not None else read_dimensions(by)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    moment, records = since_option(since), records_folder(folder, state)
    with exits_on_faults("spend"):
        rows = recorded_spend(records, dimensions, moment)
    if csv is not None:
        typer.echo(spend_csv(rows), nl=False)
    else:
        typer.echo(spend_json(rows, dimensions) if as_json else "\n".join(spend_table(rows, dimensions)))
