"""How findings of `policy lint` read, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from aegis_authz.policy.lint.codes import SEVERITIES
from aegis_authz.policy.lint.finding import Finding


def findings_text(findings: Sequence[Finding]) -> str:
    """Each finding with its place and its page, then how many there are of each severity."""
    lines = [f"{finding}\n  see {finding.page}" for finding in findings]
    counts = _counts(findings)
    amounts = [f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counts.items() if count]
    return "\n".join([*lines, ", ".join(amounts) or "nothing found"])


def findings_json(findings: Sequence[Finding]) -> str:
    """All findings and their numbers as one JSON object; places are told as `policy validate` tells them."""
    members = [
        {"code": finding.code, "severity": finding.severity, **asdict(finding.problem), "page": finding.page}
        for finding in findings
    ]
    counts = {f"{severity}s": count for severity, count in _counts(findings).items()}
    return json.dumps({**counts, "findings": members}, indent=2)


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counts = Counter(finding.severity for finding in findings)
    return {severity: counts[severity] for severity in SEVERITIES}
