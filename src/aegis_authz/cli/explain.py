"""`aegis explain`: what an answer means, and what to do about it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.faults import exits_on_faults, unusable
from aegis_authz.cli.options import DEFAULT_STATE, AsJson, MeshState

if TYPE_CHECKING:
    from aegis_authz.control.reasons import Advice
    from aegis_authz.core.grant import Grant
    from aegis_authz.core.record import DecisionRecord

COMMAND = "explain"
_CODE = re.compile(r"[A-Za-z_]+")


def explain(
    subject: Annotated[str, typer.Argument(help="A decision id, as in x-aegis-decision-id, or a reason: REPLAYED.")],
    state: MeshState = DEFAULT_STATE,
    as_json: AsJson = False,
) -> None:
    """Say what an answer means: what was asked, why it was refused or let through, who causes that, what to do.

    Of a decision it reads the record, without verifying. Exits with 1 when there is no such record.

    Example: aegis explain 01a22794-286c-7e11-8d73-a643d43c6d71
    """
    from aegis_authz.cli.reason_words import read_reason
    from aegis_authz.commands.records import decision_records
    from aegis_authz.control.reasons import advice
    from aegis_authz.core.record import DecisionRecord

    if _CODE.fullmatch(subject):
        try:
            reason = read_reason(subject)
        except ValueError as fault:
            raise unusable(COMMAND, str(fault)) from None
        show_advice(advice(reason), None, state, as_json)
        return
    with exits_on_faults(COMMAND):
        records = [stored.record for stored in decision_records(state / "records", subject)]
    decisions = [record for record in records if isinstance(record, DecisionRecord)]
    if not decisions:
        typer.echo(f"aegis {COMMAND}: no record of decision {subject!r} in {state / 'records'}", err=True)
        raise typer.Exit(REFUSED)
    show_advice(advice(decisions[0].reason), decisions[0], state, as_json)


def show_advice(reading: Advice, record: DecisionRecord | None, state: Path, as_json: bool) -> None:
    """Print what is known of a reason, and of the decision it was given for."""
    if not as_json:
        typer.echo("\n".join(_lines(reading, record, state)))
        return
    from aegis_authz.evidence.document import record_to_json

    members = {
        "reason": reading.reason.value,
        "sentence": reading.sentence,
        "cause": reading.cause,
        "remedy": reading.remedy,
        "retry": reading.retry,
        "record": None if record is None else record_to_json(record),
    }
    typer.echo(json.dumps(members, indent=2))


def _lines(reading: Advice, record: DecisionRecord | None, state: Path) -> Iterator[str]:
    from aegis_authz.cli.audit_text import printable

    if record is None:
        yield reading.reason.value
    else:
        yield f"{record.effect.value} {reading.reason.value}"
        yield f"  {'call':<11} {printable(_call(record))}"
        if record.identity is not None:
            yield f"  {'agent':<11} {printable(str(record.identity.scope))}"
            if record.identity.grant is not None:
                yield f"  {'grant':<11} {_grant(record.identity.grant)}"
        if record.detail:
            yield f"  {'detail':<11} {printable(record.detail)}"
        if record.approval_id:
            granted = f", granted by {record.approved_by}" if record.approved_by else ""
            yield f"  {'approval':<11} {printable(record.approval_id + granted)}"
        if record.policies:
            yield f"  {'decided by':<11} {printable(', '.join(record.policies))}"
    yield f"  {'meaning':<11} {reading.sentence}"
    yield f"  {'cause':<11} {reading.cause}"
    yield f"  {'what to do':<11} {reading.remedy}"
    yield f"  {'retry':<11} {reading.retry}"
    if record is not None:
        folder = shlex.quote(str(state))
        if record.policies:
            yield f"Rule by rule:  aegis policy explain --record {record.decision_id} --dir {folder}"
        yield f"All of it:     aegis audit show {record.decision_id} --dir {folder}"


def _grant(grant: Grant) -> str:
    """The narrowest of the chain in a few words: its tools where they are recorded, its count, its end."""
    from datetime import UTC, datetime

    from aegis_authz.cli.audit_text import printable

    last = grant.chain[-1]
    tools = "" if last.tools is None else f"{', '.join(last.tools)}; "
    calls = "" if last.calls is None else f"{last.calls} calls; "
    end = datetime.fromtimestamp(last.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    within = f", within {len(grant.chain) - 1} more" if len(grant.chain) > 1 else ""
    return printable(f"{tools}{calls}until {end} ({last.id}{within})")


def _call(record: DecisionRecord) -> str:
    address = f"{record.method} {record.host}{record.path}"
    return f"{record.action} on {record.tool} ({address})" if record.tool and record.action else address
