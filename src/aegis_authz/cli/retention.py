"""`aegis audit compress` and `retain`: what becomes of the sealed segments of records."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import asdict
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
    since_option,
)

if TYPE_CHECKING:
    from aegis_authz.commands.retention import Retention

SIX_MONTHS = 184
"""Days that no six months in a row are longer than (Regulation (EU) 2024/1689, Articles 19(1) and 26(6))."""
_BYTES = re.compile(r"([0-9]{1,15})([KMGT]?)(?:i?B)?")
_DAY = 86_400

Folder = Annotated[
    Path | None, typer.Argument(help="A folder of record logs, or one log; default: DIR/records.", show_default=False)
]

PublicKeys = Annotated[Path | None, typer.Option("--key", help="The public keys; default: DIR/keys/records.pub.json.")]
SigningKey = Annotated[
    Path | None, typer.Option("--signing-key", help="The private key of records; default: DIR/keys/records.pem.")
]


def compress(folder: Folder = None, state: OptionalState = None, as_json: AsJson = False) -> None:
    """Compress the sealed segments of every log, also while it is written to (gzip, each verified before it counts).

    All commands read them as before, and their seals prove what they expand to.
    Exits with 0, also when there is nothing to do, 2 when something cannot be read or written.

    Example: aegis audit compress --dir DIR
    """
    from aegis_authz.commands.retention import compress_records

    done = []
    with exits_on_faults("audit"):
        for compression in compress_records(records_folder(folder, state)):
            done.append(asdict(compression))
            if not as_json:
                typer.echo(
                    f"{compression.writer}: segment {compression.segment} compressed, "
                    f"{compression.before} bytes to {compression.after}"
                )
    if as_json:
        typer.echo(json.dumps({"compressed": done}, indent=2))
    elif not done:
        typer.echo("no sealed segment that is not compressed")


def retain(
    folder: Folder = None,
    state: OptionalState = None,
    older_than: Annotated[
        str, typer.Option("--older-than", help="Only segments sealed before then: 184d, 400d ago, or 2026-01-01.")
    ] = f"{SIX_MONTHS}d",
    at_most: Annotated[
        str,
        typer.Option("--at-most", help="No more of them than bring a log under so many bytes: 500M, 20G."),
    ] = "",
    under_six_months: Annotated[
        bool, typer.Option("--under-six-months", help="Allow --older-than to be less than six months.")
    ] = False,
    key: PublicKeys = None,
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="The control plane's anchors; default: DIR/anchors.jsonl.")
    ] = None,
    place: Annotated[
        list[str] | None, typer.Option("--place", help="Only anchors of writers that run there; repeatable.")
    ] = None,
    signing_key: SigningKey = None,
    shipped: Annotated[bool, typer.Option("--shipped", help="Only what is read back from storage.")] = False,
    config: ShippingConfig = None,
    apply: Annotated[bool, typer.Option("--apply", help="Retire them; without it, only say what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Retire old sealed segments: a signed tombstone stands for them, so the rest is proven as before.

    Never retired: the open segment, one that no anchor covers, one younger than six months unless that is asked for,
    and anything of a log that is not proven from its first record to its last; with --shipped, whatever `aegis audit
    ship` did not bring to storage, or what cannot be read back from there. Without --apply nothing is changed.
    Exits with 0, 1 when a log is not proven or a segment that is old enough is not anchored, or not shipped, 2 when
    something cannot be read or written.

    Example: aegis audit retain --dir DIR --older-than 400d --apply
    """
    from aegis_authz.commands.retention import RetentionProof, retain_records
    from aegis_authz.core.units import Epoch
    from aegis_authz.evidence.retention import RetentionRule

    before = since_option(older_than, "--older-than")
    now = time.time()
    if not before or (before > now - SIX_MONTHS * _DAY and not under_six_months):
        raise typer.BadParameter(
            f"records are kept for {SIX_MONTHS} days at least: --under-six-months if you may", param_hint="--older-than"
        )
    rule = RetentionRule(before, _bytes(at_most))
    home = state or DEFAULT_STATE
    private = (signing_key or home / "keys" / "records.pem") if apply else None
    with exits_on_faults("audit"):
        proof = RetentionProof(key, anchors, place or ())
        store = shipping_file(config, state) if shipped else None
        results = retain_records(records_folder(folder, state), home, rule, proof, private, Epoch(now), store)
    if as_json:
        typer.echo(json.dumps({"applied": apply, "logs": [_log_json(result) for result in results]}, indent=2))
    for line in _lines(results, apply) if not as_json else ():
        typer.echo(line)
    if any(result.refusal or result.plan.is_held_up for result in results):
        raise typer.Exit(REFUSED)


def _lines(results: list[Retention], is_applied: bool) -> Iterator[str]:
    for result in results:
        plan = result.plan
        if result.refusal:
            yield f"{plan.writer}: nothing is retired: {result.refusal}"
            continue
        if plan.extents:
            verb = "retired" if result.is_done else "would be retired"
            numbers = f"segments {plan.extents[0].segment} to {plan.extents[-1].segment}"
            records = f"records {plan.extents[0].first} to {plan.extents[-1].last}"
            yield f"{plan.writer}: {numbers} ({records}, {plan.retired_size} bytes) {verb}; {plan.staying} stay"
        else:
            yield f"{plan.writer}: nothing to retire, {plan.staying} stay"
        yield f"  the next stays: {plan.why}"
    if not is_applied and any(result.plan.extents for result in results):
        yield "nothing was changed; --apply retires them"


def _log_json(result: Retention) -> dict[str, object]:
    plan = asdict(result.plan)
    return {**plan, "retired_size": result.plan.retired_size, "is_done": result.is_done, "refusal": result.refusal}


def _bytes(text: str) -> int | None:
    if not text:
        return None
    match = _BYTES.fullmatch(text)
    if match is None:
        raise typer.BadParameter("write how many bytes: 500M, 20G", param_hint="--at-most")
    unit = "KMGT".index(match[2]) + 1 if match[2] else 0
    return int(match[1]) << 10 * unit
