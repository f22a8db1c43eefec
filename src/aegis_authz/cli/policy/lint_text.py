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
    counted = _counted(findings)
    told = [f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in counted.items() if count]
    return "\n".join([*lines, ", ".join(told) or "nothing found"])


def findings_json(findings: Sequence[Finding]) -> str:
    """All findings and their numbers as one JSON object; places are told as `policy validate` tells them."""
    told = [{"code": one.code, "severity": one.severity, **asdict(one.problem), "page": one.page} for one in findings]
    counted = {f"{severity}s": count for severity, count in _counted(findings).items()}
    return json.dumps({**counted, "findings": told}, indent=2)


def _counted(findings: Sequence[Finding]) -> dict[str, int]:
    counted = Counter(finding.severity for finding in findings)
    return {severity: counted[severity] for severity in SEVERITIES}
