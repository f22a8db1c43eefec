"""The tables of `aegis doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from aegis_authz.cli.consoles import table_console
from aegis_authz.local.checkup import Prerequisite
from aegis_authz.local.proof import Proof
from aegis_authz.policy.source.problems import printable


def show_proofs(proofs: Sequence[Proof]) -> None:
    """Print the routes and each call with what was proved, then what is wrong."""
    table = Table(
        title="The mesh's routes, and calls through its proxy", title_justify="left", box=SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("")
    for column in ("call", "expected", "answer", "control"):
        table.add_column(column, overflow="fold")
    table.add_column("ms", justify="right")
    for proof in proofs:
        answer = f"{proof.answer} {proof.reason}".rstrip()
        cells = (proof.call, proof.expected, answer, proof.control, f"{proof.ms:.1f}")
        table.add_row(_mark(proof.trouble), *(Text(printable(cell)) for cell in cells))
    console = table_console()
    console.print(table)
    for proof in proofs:
        if proof.trouble:
            console.print(Text(f"{proof.call}: {printable(proof.trouble)}", style="red"))
    wrong = sum(1 for proof in proofs if proof.trouble)
    verdict = f"{wrong} of {len(proofs)} answers are not as they must be." if wrong else "Every control does its work."
    console.print(Text(verdict, style="red" if wrong else "green"))


def show_findings(findings: Sequence[Prerequisite]) -> None:
    """Print everything looked at, then how to get what is missing."""
    console = table_console()
    for finding in findings:
        console.print(_mark(finding.trouble), Text(f"{finding.name:<42} {finding.found}"), Text(finding.trouble))
    for finding in findings:
        if finding.trouble:
            console.print(Text(f"{finding.name}: {finding.trouble}. {finding.remedy}.", style="red"))
    if not any(finding.trouble for finding in findings):
        console.print(Text("Nothing is missing: aegis up", style="green"))


def _mark(trouble: str) -> Text:
    return Text("✗", style="red") if trouble else Text("✓", style="green")
