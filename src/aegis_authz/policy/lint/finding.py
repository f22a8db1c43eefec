"""What a lint found, and where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aegis_authz.policy.lint.codes import CODES, SEVERITIES, Severity
from aegis_authz.policy.source.problems import Problem


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. Read as text it is the problem with severity and code before the field."""

    code: str
    severity: Severity
    problem: Problem

    @property
    def page(self) -> str:
        """Where the code is explained."""
        return f"docs/lint/{self.code}.md"

    @property
    def order(self) -> tuple[str, int, int, str, int, str, str]:
        """Findings stand in the order of files and places; of one code at one place, the gravest first."""
        problem = self.problem
        grave = SEVERITIES.index(self.severity)
        return problem.path, problem.line, problem.column, self.code, grave, problem.field, problem.message

    def __str__(self) -> str:
        field = f": {self.problem.field}" if self.problem.field else ""
        return str(replace(self.problem, field=f"{self.severity} {self.code}{field}"))


def finding_of(code: str, problem: Problem, severity: Severity | None = None) -> Finding:
    """A finding of that code, with the code's own severity unless another is given."""
    return Finding(code, severity or CODES[code].severity, problem)
