"""The tables of `aegis doctor`."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from aegis_authz.local.checkup import Finding
from aegis_authz.local.proof import Proof


def show_proofs(proofs: Sequence[Proof]) -> None:
    """Print each call with what it proved, then what is wrong."""
    table = Table(title="Calls through the mesh's proxy", title_justify="left")
    for column in ("", "call", "expected", "answer", "reason", "control"):
        table.add_column(column, overflow="fold")
    table.add_column("ms", justify="right")
    for proof in proofs:
        row = (proof.call, proof.expected, proof.answer, proof.reason, proof.control, f"{proof.ms:.1f}")
        table.add_row(_mark(proof.trouble), *(Text(cell) for cell in row))
    console = Console()
    console.print(table)
    for proof in proofs:
        if proof.trouble:
            console.print(Text(f"{proof.call}: {proof.trouble}", style="red"))
    wrong = sum(1 for proof in proofs if proof.trouble)
    verdict = f"{wrong} of {len(proofs)} calls are not as they must be." if wrong else "Every control does its work."
    console.print(Text(verdict, style="red" if wrong else "green"))


def show_findings(findings: Sequence[Finding]) -> None:
    """Print everything looked at, then how to get what is missing."""
    console = Console()
    for finding in findings:
        console.print(_mark(finding.trouble), Text(f"{finding.name:<42} {finding.found}"), Text(finding.trouble))
    for finding in findings:
        if finding.trouble:
            console.print(Text(f"{finding.name}: {finding.trouble}. {finding.remedy}.", style="red"))
    if not any(finding.trouble for finding in findings):
        console.print(Text("Nothing is missing: aegis up", style="green"))


def _mark(trouble: str) -> Text:
    return Text("✗", style="red") if trouble else Text("✓", style="green")
