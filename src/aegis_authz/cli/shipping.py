"""`aegis audit ship`, `shipped` and `fetch`: sealed segments in storage whose objects are locked, and back."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults
from aegis_authz.cli.options import (
    DEFAULT_STATE,
    AsJson,
    OptionalState,
    ShippingConfig,
    records_folder,
    shipping_file,
)
from aegis_authz.cli.retention import Folder, PublicKeys
from aegis_authz.cli.rounds import Every, Rounds

if TYPE_CHECKING:
    from aegis_authz.evidence.shipping import Fetching, ShippedSegment, Shipping


def ship(
    folder: Folder = None,
    state: OptionalState = None,
    config: ShippingConfig = None,
    key: PublicKeys = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be shipped.")] = False,
    every: Every = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --every, a line a segment.")] = False,
) -> None:
    """Ship sealed segments to S3-compatible storage with object lock, also while their writers live.

    Each is proven by its seal first, and counts as shipped when the storage has said its SHA-256 and its lock; what was
    shipped is not shipped again. Exits with 0, also when there is nothing to do, 1 when a segment was refused (it is
    not as its seal says, or another object has its name), 2 when something cannot be read or reached.

    Example: aegis audit ship --dir DIR --every 600
    """
    from aegis_authz.commands.shipping import ship_records
    from aegis_authz.core.units import Epoch

    def one_round() -> Iterator[Shipping]:
        home = state or DEFAULT_STATE
        now = Epoch(time.time())
        return ship_records(records_folder(folder, state), home, key, shipping_file(config, state), now, dry_run)

    rounds = Rounds(
        one_round,
        _shipping_line,
        lambda segments: {"dry_run": dry_run, "segments": segments},
        nothing="every sealed segment is shipped",
    )
    results = rounds.run(every, as_json=as_json)
    if any(result.state == "refused" for result in results):
        raise typer.Exit(REFUSED)


def shipped(
    folder: Folder = None,
    state: OptionalState = None,
    config: ShippingConfig = None,
    key: PublicKeys = None,
    as_json: AsJson = False,
) -> None:
    """Ask the storage about every segment that was shipped, and say which are not.

    Asked is for checksum and lock of the version that was shipped, and whether it is still the newest of its object.
    Exits with 0, 1 when an object is not as it was shipped, 2 when something cannot be read or reached.

    Example: aegis audit shipped --dir DIR
    """
    from aegis_authz.commands.shipping import shipped_records

    home = state or DEFAULT_STATE
    with exits_on_faults("audit"):
        results = list(shipped_records(records_folder(folder, state), home, key, shipping_file(config, state)))
    if as_json:
        typer.echo(json.dumps({"segments": [asdict(result) for result in results]}, indent=2))
    for line in _shipped_lines(results) if not as_json else ():
        typer.echo(line)
    if any(result.state == "damaged" for result in results):
        raise typer.Exit(REFUSED)


def fetch(
    out: Annotated[Path, typer.Option("--out", help="The folder to put the logs into, a folder each.")],
    state: OptionalState = None,
    config: ShippingConfig = None,
    key: PublicKeys = None,
    writer: Annotated[
        list[str] | None, typer.Option("--writer", help="Only the log of this writer; repeatable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring shipped segments back, and prove them; `aegis audit verify --sealed` proves the folder again.

    Each is proven by its seal before it is put in place; a file that is there and holds something else stays. Objects
    that are missing, altered or foreign are named, and the rest is brought back.
    Exits with 0, 1 when something is not as it was shipped, 2 when something cannot be read or reached.

    Example: aegis audit fetch --dir DIR --out from-storage
    """
    from aegis_authz.cli.audit_text import report_json, report_lines
    from aegis_authz.commands.shipping import fetch_records, fetched_reports

    home = state or DEFAULT_STATE
    results: list[Fetching] = []
    with exits_on_faults("audit"):
        for result in fetch_records(out, home, key, shipping_file(config, state), writer or ()):
            results.append(result)
            for line in _fetching_lines(result) if not as_json else ():
                typer.echo(line)
        reports = fetched_reports(out, home, key) if any(result.segment for result in results) else []
    if as_json:
        proof = json.loads(report_json(reports))
        typer.echo(json.dumps({"objects": [asdict(result) for result in results], "proof": proof}, indent=2))
    else:
        typer.echo("\n".join(report_lines(reports)) if reports else "no segment is there")
    if not reports or not all(report.is_intact for report in reports) or not all(each.is_whole for each in results):
        raise typer.Exit(REFUSED)


def _shipping_line(result: Shipping) -> str:
    words = {
        "shipped": f"shipped as {result.key}, {result.size} bytes",
        "found": f"is there as {result.key}, from a run that did not end",
        "pending": f"would be shipped as {result.key}, {result.size} bytes",
        "refused": f"NOT SHIPPED: {result.why}",
    }
    return f"{result.writer}: segment {result.segment} {words[result.state]}"


def _shipped_lines(results: Sequence[ShippedSegment]) -> Iterator[str]:
    for writer, group in groupby(results, lambda result: result.writer):
        of_log = list(group)
        counts = Counter(result.state for result in of_log)
        untils = [result.until for result in of_log if result.state == "shipped"]
        until = f", locked until {time.strftime('%Y-%m-%d', time.gmtime(min(untils)))} at least" if untils else ""
        yield f"{writer}: {counts['shipped']} shipped{until}; {counts['waiting']} not shipped yet"
        for result in of_log:
            if result.why:
                yield f"  segment {result.segment}: {result.why}"
    if not results:
        yield "no segment is sealed yet"


def _fetching_lines(result: Fetching) -> Iterator[str]:
    if result.state in ("fetched", "present"):
        words = "brought back" if result.state == "fetched" else "is there as it was shipped"
        yield f"{result.writer}: segment {result.segment} {words}"
    elif result.state == "foreign":
        yield f"FOREIGN: {result.why}"
    else:
        yield f"{result.writer}: segment {result.segment} {result.state.upper()}: {result.why}"
    for fault in result.faults:
        yield f"  ALTERED: {fault}"
